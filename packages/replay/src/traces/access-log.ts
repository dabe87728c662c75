/** What an import reads from one line of an access log. */
export interface LoggedRequest {
  /** The whole line. */
  readonly line: string;
  /** The name the client logged in by; null for none. */
  readonly user: string | null;
  /** ms since 1970. Apache notes when a request came, nginx when it was answered. */
  readonly at: number;
  /** Without the query; null where the request line is none: what broke off, or was no HTTP. */
  readonly path: string | null;
  /** Without the `?`. */
  readonly query: string;
  readonly status: number;
}

export const LOG_FORMATS = ['combined', 'common'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** No server takes more of one request; it also bounds what a line without an end may cost. Characters. */
export const LONGEST_LINE = 65_536;

const QUOTED = String.raw`"([^"\\]*(?:\\.[^"\\]*)*)"`;
const COMMON = String.raw`^\S+ \S+ ([^[]+) \[([^\]]+)\] ${QUOTED} (\d{3}) (?:\d+|-)`;

/** Behind either may stand further fields, as many servers are told to write. */
const FORMS: Readonly<Record<LogFormat, RegExp>> = {
  common: new RegExp(`${COMMON}(?: |$)`),
  combined: new RegExp(`${COMMON} ${QUOTED} ${QUOTED}(?: |$)`),
};

const TIME = /^(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `10/Oct/2000:13:55:36 -0700`; null for what is no such time. */
function parseLogTime(text: string): number | null {
  const match = TIME.exec(text);
  if (!match) return null;
  const [day, hour, minute, second] = [match[1], match[4], match[5], match[6]].map(Number) as [number, number, number, number];
  const month = MONTHS.indexOf(match[2]!);
  const local = Date.UTC(Number(match[3]), month, day, hour, minute, second);
  // Date.UTC makes 2 March of 30 February.
  if (month < 0 || new Date(local).getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) return null;
  const offset = (Number(match[8]) * 60 + Number(match[9])) * 60_000;
  return match[7] === '-' ? local + offset : local - offset;
}

const ESCAPE = /\\(?:x([0-9A-Fa-f]{2})|(.))/g;
const NAMED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', v: '\v', f: '\f' };

/** What a server escaped: nginx writes `\x22`, Apache `\"`. */
function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(ESCAPE, (_, hex?: string, char?: string) =>
    hex ? String.fromCharCode(Number.parseInt(hex, 16)) : (NAMED[char!] ?? char!),
  );
}

const REQUEST = /^[A-Za-z]+ (\S+)(?: HTTP\/\d(?:\.\d)?)?$/;
/** A proxy is asked for `http://host/path`. */
const ORIGIN = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?]*/;

function splitRequest(request: string): Pick<LoggedRequest, 'path' | 'query'> {
  const target = REQUEST.exec(request)?.[1]?.replace(ORIGIN, '');
  if (target === undefined) return { path: null, query: '' };
  const mark = target.indexOf('?');
  return mark < 0 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

/** Reads a line of an access log, without its end; null for what is none. */
export function parseLogLine(line: string, format: LogFormat): LoggedRequest | null {
  const match = line.length <= LONGEST_LINE ? FORMS[format].exec(line) : null;
  const at = match && parseLogTime(match[2]!);
  if (!match || at === null) return null;
  const user = unescaped(match[1]!);
  return { line, user: user === '-' ? null : user, at, ...splitRequest(unescaped(match[3]!)), status: Number(match[4]) };
}
