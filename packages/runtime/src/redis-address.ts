/** The address of one server. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

interface Access {
  /** Whether connections are encrypted, to the sentinels too. */
  readonly tls: boolean;
  /** The login of the data nodes; null where they need none. `user` is null for Redis' default user. */
  readonly login: { readonly user: string | null; readonly password: string } | null;
}

/** The content of `REDIS_URL`. Lists are never empty. */
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

/** Reads `user:password`. Refuses a user without a password, because ioredis would not log in then. */
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
 * The scheme may precede every address. `user:password@`, percent-encoded, may precede the first address only, so that no
 * login is ignored.
 *
 * @throws Error on any other text
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
