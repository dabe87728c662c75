import { promises as dns, type LookupAddress } from 'node:dns';
import type { LookupFunction, Socket } from 'node:net';
import { buildConnector, Client } from 'undici';

/** How long a connection without any call yet is kept open, in ms: as long as undici keeps one between two calls. */
const UNUSED_MS = 4_000;

/** How long a connection is not used again after a call, in ms: a server that closes it after each answer has done so by then. */
const REUSE_AFTER_MS = 5;

/**
 * Resolves host names with `dns.lookup`, and shares one lookup among all requests for the same name at the same time. Lookups
 * run on four threads: 50 slow ones would take twelve times as long as one.
 */
export function sharedLookup(): LookupFunction {
  const running = new Map<string, Promise<LookupAddress[]>>();
  return (hostname, options, callback) => {
    let addresses = running.get(hostname);
    if (!addresses) {
      addresses = dns.lookup(hostname, { ...options, all: true }).finally(() => running.delete(hostname));
      running.set(hostname, addresses);
    }
    addresses.then(
      (found) => (options.all ? callback(null, found) : callback(null, found[0]!.address, found[0]!.family)),
      (error) => callback(error, ''),
    );
  };
}

/** Thrown where no connection is opened because the process is stopping. */
export class Draining extends Error {
  override readonly name = 'Leaving';
}

/** An open connection, for one request at a time. */
export class Connection {
  /** Sends a request at once: its socket is open already, and is never replaced by another. */
  readonly client: Client;
  readonly #socket: Socket;

  constructor(origin: string, socket: Socket) {
    this.#socket = socket;
    socket.setTimeout(UNUSED_MS, () => socket.destroy());
    let given = false;
    this.client = new Client(origin, {
      pipelining: 1,
      // The signal of a call bounds the whole call; undici's default time-outs of 300 s must not end it earlier.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (_, callback) => {
        const closed = new Error('the connection was closed before the request was sent');
        if (given || !this.isOpen) return queueMicrotask(() => callback(closed, null));
        given = true;
        socket.setTimeout(0);
        // undici sends nothing if it gets the socket before `connect` has returned.
        queueMicrotask(() => callback(null, socket));
      },
    });
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  onClose(run: () => void): void {
    this.#socket.once('close', run);
  }

  async close(): Promise<void> {
    this.#socket.destroy();
    await this.client.destroy();
  }
}

/**
 * A pool of connections to one server. A connection is opened before the caller decides what to send. undici opens one only
 * for a request, and the decision would grow old meanwhile.
 */
export class ConnectionPool {
  readonly #url: URL;
  readonly #connect: buildConnector.connector;
  readonly #open = new Set<Connection>();
  /** Sorted: the connection that has been idle longest is first. */
  readonly #idle: { readonly connection: Connection; readonly since: number }[] = [];
  readonly #opening = new Set<() => void>();
  #isDraining = false;

  /** @param timeout how long opening a connection may take, in ms: DNS lookup, TCP and TLS together */
  constructor(url: URL, timeout: number) {
    this.#url = url;
    // Over HTTP/2, its default with TLS, undici repeats refused streams by itself, but a call must never be repeated.
    this.#connect = buildConnector({ allowH2: false, timeout, lookup: sharedLookup() });
  }

  /**
   * Takes an idle connection, or opens one. It belongs to the caller until the caller releases it.
   *
   * @throws Leaving where it would have to open one after {@link drain}; the error of the system or of TLS; undici's
   * ConnectTimeoutError
   */
  async take(): Promise<Connection> {
    const [first] = this.#idle;
    if (!first || performance.now() - first.since < REUSE_AFTER_MS) return this.#openAnother();
    this.#idle.shift();
    return first.connection;
  }

  /** Takes a connection back, unless it was closed meanwhile. */
  release(connection: Connection): void {
    if (connection.isOpen) this.#idle.push({ connection, since: performance.now() });
  }

  #openAnother(): Promise<Connection> {
    const { hostname, host, protocol, port, origin } = this.#url;
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(new Draining());
      if (this.#isDraining) return giveUp();
      this.#opening.add(giveUp);
      this.#connect({ hostname: hostname.replace(/^\[(.*)\]$/, '$1'), host, protocol, port }, (error, socket) => {
        this.#opening.delete(giveUp);
        if (error) return reject(error);
        const connection = new Connection(origin, socket);
        this.#open.add(connection);
        connection.onClose(() => this.#forget(connection));
        if (this.#isDraining) connection.close();
        resolve(connection);
      });
    });
  }

  #forget(connection: Connection): void {
    this.#open.delete(connection);
    const at = this.#idle.findIndex((idle) => idle.connection === connection);
    if (at >= 0) this.#idle.splice(at, 1);
    connection.close();
  }

  /** Opens no more connections and gives up those that are being opened; open ones stay in use. */
  drain(): void {
    this.#isDraining = true;
    for (const giveUp of this.#opening) giveUp();
  }

  /** Closes all open connections at once. */
  async close(): Promise<void> {
    this.drain();
    await Promise.all([...this.#open].map((connection) => connection.close()));
  }
}
