import { type Logger, pino } from 'pino';

export type { Logger };

/** JSON lines on standard output. Headers that carry keys never reach them. */
export function createLogger(level: string, name: string): Logger {
  const secrets = ['x-api-key', 'authorization', 'cookie'].map((header) => `*.headers["${header}"]`);
  return pino({ name, level, redact: { paths: [...secrets, ...secrets.map((path) => path.slice(2))], censor: '[redacted]' } });
}
