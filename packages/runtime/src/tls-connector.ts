import { connect } from 'node:tls';
import { AbstractConnector, type Redis, type RedisOptions, SentinelConnector } from 'ioredis';

/**
 * Opens the encrypted connections to data nodes and to sentinels, as ioredis' own does, and listens to all their errors.
 *
 * A connection that is given up during its handshake may fail twice: for the certificate, and for the alert that the server
 * answers with. ioredis 6.0 listens to one error only, and the other ends the process.
 */
export class TlsConnector extends AbstractConnector {
  readonly #options: RedisOptions;

  /** @param options ioredis' own, complete */
  constructor(options: unknown) {
    super((options as { disconnectTimeout: number }).disconnectTimeout);
    this.#options = options as RedisOptions;
  }

  override async connect() {
    this.connecting = true;
    // Whoever disconnects in the same turn finds nothing open.
    await Promise.resolve();
    if (!this.connecting) throw new Error('Connection is closed.');
    const { host, port, tls } = this.#options;
    const socket = connect({ host: host!, port: port!, ...tls });
    socket.once('error', (error) => {
      this.firstError = error;
    });
    socket.on('error', () => {});
    this.stream = socket;
    return socket;
  }
}

/** Finds the master through sentinels, as ioredis' own connector does, and listens to all errors of both kinds of connection. */
export class TlsSentinelConnector extends SentinelConnector {
  /** @param options ioredis' own, complete */
  constructor(options: unknown) {
    super(options as RedisOptions);
    // Private in ioredis' types, and the only place where it connects to a sentinel.
    const open = Reflect.get(this, 'connectToSentinel') as (endpoint: unknown, settings: object) => Redis;
    const openSafely: typeof open = (endpoint, settings) => open.call(this, endpoint, { ...settings, Connector: TlsConnector });
    Reflect.set(this, 'connectToSentinel', openSafely);
  }

  override async connect(...args: Parameters<SentinelConnector['connect']>) {
    const socket = await super.connect(...args);
    socket.on('error', () => {});
    return socket;
  }
}
