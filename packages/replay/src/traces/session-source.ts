import { InvalidInput } from '@sandman/core';
import type { LoggedRequest } from './access-log.ts';

/** Finds the session of a request; null if it names none. */
export type SessionSource = (request: LoggedRequest) => string | null;

const SOURCE_FORMS = 'query:NAME, path:TEMPLATE, user, or regex:PATTERN';

function fromQuery(name: string): SessionSource {
  return ({ query }) => new URLSearchParams(query).get(name);
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** Matches paths such as `/chat/:session/message`. `*` stands for any one segment; a `*` at the end stands for one or more. */
function fromPath(template: string, field: string): SessionSource {
  const parts = template.split('/');
  const place = parts.indexOf(':session');
  if (!template.startsWith('/') || place < 0 || place !== parts.lastIndexOf(':session')) {
    throw new InvalidInput(field, 'must have one :session in its path, such as path:/chat/:session/message');
  }
  const open = parts.at(-1) === '*';
  return ({ path }) => {
    const segments = path?.split('/') ?? [];
    if (open ? segments.length < parts.length : segments.length !== parts.length) return null;
    for (const [index, part] of parts.entries()) {
      if (index !== place && part !== '*' && part !== segments[index]) return null;
    }
    return decoded(segments[place]!);
  };
}

function fromRegex(source: string, field: string): SessionSource {
  let pattern: RegExp;
  let groups: number;
  try {
    pattern = new RegExp(source);
    // With an empty alternative it matches any text, and the match tells how many groups it has.
    groups = new RegExp(`${source}|`).exec('')!.length - 1;
  } catch {
    throw new InvalidInput(field, 'has a pattern that is no regular expression');
  }
  if (groups !== 1) throw new InvalidInput(field, `must have one group in its pattern, around the session; it has ${groups}`);
  return ({ line }) => pattern.exec(line)?.[1] ?? null;
}

/**
 * Parses where a line of a log names the session: `query:NAME`, `path:TEMPLATE`, `user`, or `regex:PATTERN`.
 *
 * @param field the name of the setting, for the error
 * @throws InvalidInput
 */
export function parseSessionSource(text: string, field: string): SessionSource {
  const colon = text.indexOf(':');
  const [form, rest] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
  if (text === 'user') return ({ user }) => user;
  if (form === 'query' && rest) return fromQuery(rest);
  if (form === 'path') return fromPath(rest, field);
  if (form === 'regex' && rest) return fromRegex(rest, field);
  if (form === 'header')
    throw new InvalidInput(field, `must be ${SOURCE_FORMS}: these logs hold no other headers than Referer and User-Agent`);
  throw new InvalidInput(field, `must be ${SOURCE_FORMS}`);
}
