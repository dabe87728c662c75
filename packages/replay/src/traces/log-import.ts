import { UUID } from '@sandman/core';
import type { TraceEvent } from '../line.ts';
import { type LogFormat, parseLogLine } from './access-log.ts';
import { hashSession } from './session-hash.ts';
import type { SessionSource } from './session-source.ts';

/** The rules by which an access log becomes a trace. */
export interface LogImportOptions {
  readonly format: LogFormat;
  readonly session: SessionSource;
  /** Whether a request with this status counts as activity; a failed one should not. */
  readonly counts: (status: number) => boolean;
  /** Prefixes of the paths whose requests are background activity. */
  readonly background: readonly string[];
  /** Replaces each session's name by a hash: then any text may name a session, and names of people stay out of the trace. */
  readonly hash: boolean;
}

/** Turns lines of a log into events, and counts the lines by what became of them. */
export class LogImport {
  lines = 0;
  events = 0;
  malformed = 0;
  /** The number of the first malformed line, from 1 on; 0 for none. */
  firstMalformed = 0;
  /** Requests with a status that does not count. */
  otherStatus = 0;
  noSession = 0;
  /** Requests that name a session by a text that is not a uuid. */
  noUuid = 0;
  readonly #options: LogImportOptions;

  constructor(options: LogImportOptions) {
    this.#options = options;
  }

  /** Takes the next line. @param line without its line end @returns its event; null if it has none */
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
    const uuid = hash ? hashSession(id) : id;
    if (!UUID.test(uuid)) {
      this.noUuid++;
      return null;
    }
    this.events++;
    const alone = background.some((prefix) => request.path?.startsWith(prefix));
    return { uuid, at: request.at, event: alone ? 'background' : 'user' };
  }
}
