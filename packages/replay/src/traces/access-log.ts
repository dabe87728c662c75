/** What an import reads from one line of an access log. */
export interface LoggedRequest {
  /** The whole line. */
  readonly line: string;
  /** The name by which the client logged in; null for none. */
  readonly user: string | null;
  /** ms since 1970. Apache logs when a request came, nginx when it was answered. */
  readonly at: number;
  /** Without the query; null if the request line is not one of HTTP, such as that of a broken-off request. */
  readonly path: string | null;
  /** Without the `?`. */
  readonly query: string;
  readonly status: number;
}

export const LOG_FORMATS = ['combined', 'common'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** The longest line that is read, in characters. No server accepts a longer request; a file without line ends must not fill the memory. */
export const LONGEST_LINE = 65_536;

const QUOTED = String.raw`"([^"\\]*(?:\\.[^"\\]*)*)"`;
const COMMON = String.raw`^\S+ \S+ ([^[]+) \[([^\]]+)\] ${QUOTED} (\d{3}) (?:\d+|-)`;

/** Both formats may be followed by further fields, which many servers are configured to write. */
const LINE_PATTERNS: Readonly<Record<LogFormat, RegExp>> = {
  common: new RegExp(`${COMMON}(?: |$)`),
  combined: new RegExp(`${COMMON} ${QUOTED} ${QUOTED}(?: |$)`),
};

const TIME = /^(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Parses a time such as `10/Oct/2000:13:55:36 -0700`. @returns ms since 1970; null if it is no such time */
function parseLogTime(text: string): number | null {
  const match = TIME.exec(text);
  if (!match) return null;
  const [day, hour, minute, second] = [match[1], match[4], match[5], match[6]].map(Number) as [number, number, number, number];
  const month = MONTHS.indexOf(match[2]!);
  const local = Date.UTC(Number(match[3]), month, day, hour, minute, second);
  // Date.UTC turns 30 February into 2 March.
  if (month < 0 || new Date(local).getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) return null;
  const offset = (Number(match[8]) * 60 + Number(match[9])) * 60_000;
  return match[7] === '-' ? local + offset : local - offset;
}

const ESCAPE = /\\(?:x([0-9A-Fa-f]{2})|(.))/g;
const ESCAPED_CHARACTERS: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', v: '\v', f: '\f' };

/** Decodes what a server escaped: nginx writes `\x22`, Apache `\"`. */
function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(ESCAPE, (_, hex?: string, char?: string) =>
    hex ? String.fromCharCode(Number.parseInt(hex, 16)) : (ESCAPED_CHARACTERS[char!] ?? char!),
  );
}

const REQUEST = /^[A-Za-z]+ (\S+)(?: HTTP\/\d(?:\.\d)?)?$/;
/** The origin in a request to a proxy, which asks for `http://host/path`. */
const ORIGIN = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?]*/;

function splitRequest(request: string): Pick<LoggedRequest, 'path' | 'query'> {
  const target = REQUEST.exec(request)?.[1]?.replace(ORIGIN, '');
  if (target === undefined) return { path: null, query: '' };
  const mark = target.indexOf('?');
  return mark < 0 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

/** Parses a line of an access log, without its line end. @returns null if it does not have the format */
export function parseLogLine(line: string, format: LogFormat): LoggedRequest | null {
  const match = line.length <= LONGEST_LINE ? LINE_PATTERNS[format].exec(line) : null;
  const at = match && parseLogTime(match[2]!);
  if (!match || at === null) return null;
  const user = unescaped(match[1]!);
  return { line, user: user === '-' ? null : user, at, ...splitRequest(unescaped(match[3]!)), status: Number(match[4]) };
}
