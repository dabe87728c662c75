/** One server of a Redis. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

interface Access {
  /** Whether connections are encrypted, to the sentinels too. */
  readonly tls: boolean;
  /** What the data nodes want; null where they want nothing. The user is null for the default one. */
  readonly login: { readonly user: string | null; readonly password: string } | null;
}

/** Where Redis is, as `REDIS_URL` says it. Lists are never empty. */
export type RedisAddress =
  | (Access & { readonly kind: 'single'; readonly server: Endpoint; readonly database: number })
  | (Access & { readonly kind: 'cluster'; readonly seeds: readonly Endpoint[] })
  | (Access & { readonly kind: 'sentinel'; readonly sentinels: readonly Endpoint[]; readonly master: string });

const PORTS = { single: 6_379, cluster: 6_379, sentinel: 26_379 };

const URL_FORM = /^(rediss?)(?:\+(cluster|sentinel))?:\/\/(?:([^@/]*)@)?([^@/]+)(?:\/([^/]*))?$/;
const ENDPOINT_FORM = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/;

function refuse(): never {
  throw new Error('malformed');
}

function endpoint(text: string, standardPort: number): Endpoint {
  const [, ipv6, name, digits] = ENDPOINT_FORM.exec(text) ?? refuse();
  const port = digits === undefined ? standardPort : Number(digits);
  if (port < 1 || port > 65_535) refuse();
  return { host: ipv6 ?? name!, port };
}

/** A user without a password is refused: ioredis would not log in at all. */
function login(text: string): Access['login'] {
  if (text === '' || text === ':') return null;
  const [, user, password] = /^([^:]*):(.+)$/.exec(text) ?? refuse();
  return { user: decodeURIComponent(user!) || null, password: decodeURIComponent(password!) };
}

function database(path: string): number {
  if (!/^\d{0,5}$/.test(path)) refuse();
  return Number(path);
}

/**
 * Reads `redis://h`, `redis://h1,h2` and `redis+cluster://h` (a Cluster), `redis+sentinel://h1,h2/NAME`; each with `rediss` for TLS.
 *
 * A scheme may stand before every address; `user:password@`, percent-encoded, before the first only, so that none is overlooked.
 *
 * @throws Error on anything else
 */
export function parseRedisAddress(text: string): RedisAddress {
  const scheme = /^[a-z+]+:\/\//.exec(text)?.[0] ?? refuse();
  const [, protocol, named, userinfo = '', list, path = ''] = URL_FORM.exec(text.replaceAll(`,${scheme}`, ',')) ?? refuse();
  const kind = (named as 'cluster' | 'sentinel' | undefined) ?? (list!.includes(',') ? 'cluster' : 'single');
  const endpoints = list!.split(',').map((one) => endpoint(one, PORTS[kind]));
  const access = { tls: protocol === 'rediss', login: login(userinfo) };
  if (kind === 'single') return { kind, ...access, server: endpoints[0]!, database: database(path) };
  if (kind === 'sentinel') return { kind, ...access, sentinels: endpoints, master: decodeURIComponent(path) || refuse() };
  // A Cluster has no databases.
  return path === '' ? { kind, ...access, seeds: endpoints } : refuse();
}
