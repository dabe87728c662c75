import { createHash } from 'node:crypto';
import { UUID } from '@sandman/core';
import type { TraceEvent } from '../line.ts';
import { type LogFormat, parseLogLine } from './access-log.ts';
import type { SessionSource } from './session-source.ts';

/** How an access log becomes a trace. */
export interface LogImportOptions {
  readonly format: LogFormat;
  readonly session: SessionSource;
  /** Whether a request that was answered so counts: what failed is no activity. */
  readonly counts: (status: number) => boolean;
  /** Beginnings of the paths of requests that no person made. */
  readonly background: readonly string[];
  /** Puts a hash in each session's place: so any text may name one, and names of people stay out of the trace. */
  readonly hash: boolean;
}

/** 16 hex digits of SHA-256. */
function hashed(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 16);
}

/** Makes events of lines, and counts what became of them. */
export class LogImport {
  lines = 0;
  events = 0;
  malformed = 0;
  /** The number of the first malformed line, from 1 on; 0 for none. */
  firstMalformed = 0;
  /** Of a status that does not count. */
  otherStatus = 0;
  noSession = 0;
  /** Named by what cannot be a uuid. */
  noUuid = 0;
  readonly #options: LogImportOptions;

  constructor(options: LogImportOptions) {
    this.#options = options;
  }

  /** @param line without its end */
  take(line: string): TraceEvent | null {
    const { format, session, counts, background, hash } = this.#options;
    this.lines++;
    const request = parseLogLine(line, format);
    if (!request) {
      this.malformed++;
      this.firstMalformed ||= this.lines;
      return null;
    }
    if (!counts(request.status)) {
      this.otherStatus++;
      return null;
    }
    const id = session(request);
    if (!id) {
      this.noSession++;
      return null;
    }
    const uuid = hash ? hashed(id) : id;
    if (!UUID.test(uuid)) {
      this.noUuid++;
      return null;
    }
    this.events++;
    const alone = background.some((prefix) => request.path?.startsWith(prefix));
    return { uuid, at: request.at, event: alone ? 'background' : 'user' };
  }
}
