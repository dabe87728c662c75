import { promises as dns, type LookupAddress } from 'node:dns';
import type { LookupFunction, Socket } from 'node:net';
import { buildConnector, Client } from 'undici';

/** How long an open connection is kept that no call has used yet, in ms: as long as undici keeps one between two calls. */
const UNUSED_MS = 4_000;

/** For how long a connection rests after a call, in ms: a server that closes each one after its answer has done so by then. */
const REST_MS = 5;

/**
 * Resolves host names as `dns.lookup` does, and once for all who ask for a name at the same time. Lookups run on four
 * threads: fifty slow ones, one after the other, would take twelve times as long as one.
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

/** No more connections are opened: the process is told to stop. */
export class Leaving extends Error {
  override readonly name = 'Leaving';
}

/** An open connection, for one request at a time. */
export class Connection {
  /** Sends what it is given at once: its socket is open already, and is never replaced by another. */
  readonly client: Client;
  readonly #socket: Socket;

  constructor(origin: string, socket: Socket) {
    this.#socket = socket;
    socket.setTimeout(UNUSED_MS, () => socket.destroy());
    let given = false;
    this.client = new Client(origin, {
      pipelining: 1,
      // The signal of a call bounds it as a whole; undici's own bounds of 300 s must not come before it.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (_, callback) => {
        const closed = new Error('the connection was closed before the request was sent');
        if (given || !this.isOpen) return queueMicrotask(() => callback(closed, null));
        given = true;
        socket.setTimeout(0);
        // undici sends nothing on a socket that it is given while it still asks for it.
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
 * Connections to one server that are opened before it is decided what to send. undici opens one when a request needs it;
 * a decision would age meanwhile.
 */
export class Connections {
  readonly #url: URL;
  readonly #connect: buildConnector.connector;
  readonly #open = new Set<Connection>();
  /** The one that has rested longest first. */
  readonly #idle: { readonly connection: Connection; readonly since: number }[] = [];
  readonly #opening = new Set<() => void>();
  #isLeaving = false;

  /** @param timeout how long opening one may take, in ms: the name, the connection and TLS together */
  constructor(url: URL, timeout: number) {
    this.#url = url;
    // Over HTTP/2, which is undici's default with TLS, it sends refused streams again by itself.
    this.#connect = buildConnector({ allowH2: false, timeout, lookup: sharedLookup() });
  }

  /**
   * Takes an idle connection, or opens one. It is the caller's until it is released.
   *
   * @throws the error of the system, of TLS, or undici's ConnectTimeoutError
   */
  async take(): Promise<Connection> {
    const [first] = this.#idle;
    if (!first || performance.now() - first.since < REST_MS) return this.#openAnother();
    this.#idle.shift();
    return first.connection;
  }

  /** Takes a connection back. One that was closed meanwhile is forgotten. */
  release(connection: Connection): void {
    if (connection.isOpen) this.#idle.push({ connection, since: performance.now() });
  }

  #openAnother(): Promise<Connection> {
    const { hostname, host, protocol, port, origin } = this.#url;
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(new Leaving());
      if (this.#isLeaving) return giveUp();
      this.#opening.add(giveUp);
      this.#connect({ hostname: hostname.replace(/^\[(.*)\]$/, '$1'), host, protocol, port }, (error, socket) => {
        this.#opening.delete(giveUp);
        if (error) return reject(error);
        const connection = new Connection(origin, socket);
        this.#open.add(connection);
        connection.onClose(() => this.#forget(connection));
        if (this.#isLeaving) connection.close();
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

  /** Opens no more, and waits for none that is being opened; those that are open serve on. */
  leave(): void {
    this.#isLeaving = true;
    for (const giveUp of this.#opening) giveUp();
  }

  /** Cuts all that are open. */
  async close(): Promise<void> {
    this.leave();
    await Promise.all([...this.#open].map((connection) => connection.close()));
  }
}
