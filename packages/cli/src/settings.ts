import { SandmanClient } from '@sandman/client';
import { CommandFailure, EXIT } from './exit.ts';

/** The options that every command takes. */
export interface GlobalOptions {
  readonly url?: string;
  readonly json?: true;
  /** Time-out of a call, in ms. */
  readonly timeout: number;
  /** False with `--no-color`. */
  readonly color: boolean;
}

type EnvVariables = Readonly<Record<string, string | undefined>>;

export const DEFAULT_URL = 'http://127.0.0.1:3000';

/**
 * Returns the address of the API.
 *
 * @throws CommandFailure if the address is malformed
 */
export function apiUrl({ url }: Pick<GlobalOptions, 'url'>, env: EnvVariables): string {
  const [from, text] = url === undefined ? ['SANDMAN_URL', env.SANDMAN_URL || DEFAULT_URL] : ['--url', url];
  const read = URL.parse(text);
  if (!read || !/^https?:$/.test(read.protocol)) {
    throw new CommandFailure(EXIT.usage, `${from} must be an address such as ${DEFAULT_URL}`);
  }
  // Error messages would show them, and nothing uses them.
  if (read.username || read.password || read.search || read.hash) {
    throw new CommandFailure(EXIT.usage, `${from} must be an address alone: no user, password, query or fragment`);
  }
  return text.replace(/\/+$/, '');
}

function apiKey({ SANDMAN_API_KEY: key }: EnvVariables): string {
  if (!key) throw new CommandFailure(EXIT.usage, "SANDMAN_API_KEY is missing: set it to one of the API's keys (API_KEYS)");
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new CommandFailure(EXIT.usage, 'SANDMAN_API_KEY is no key: it holds a space, a line end or a character outside ASCII');
  }
  return key;
}

/**
 * Makes a client of the API.
 *
 * @throws CommandFailure if the address or the key is missing or malformed
 */
export function createClient(options: GlobalOptions, env: EnvVariables): SandmanClient {
  return new SandmanClient({ url: apiUrl(options, env), apiKey: apiKey(env), timeout: options.timeout });
}
