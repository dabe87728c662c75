import { type Logger, pino } from 'pino';

export type { Logger };

/** JSON lines on standard output. Neither headers that carry keys nor what was sent to Redis reaches them. */
export function createLogger(level: string, name: string): Logger {
  const secrets = ['x-api-key', 'authorization', 'cookie'].map((header) => `*.headers["${header}"]`);
  const headers = [...secrets, ...secrets.map((path) => path.slice(2))];
  // An ioredis error carries its command, and that of a refused login the password.
  return pino({ name, level, redact: { paths: [...headers, '*.command.args'], censor: '[redacted]' } });
}
