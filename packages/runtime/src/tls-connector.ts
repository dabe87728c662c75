import { connect } from 'node:tls';
import { AbstractConnector, type RedisOptions } from 'ioredis';

/**
 * Opens encrypted connections to data nodes and sentinels, as the connector of ioredis does, and listens to all their errors.
 *
 * A connection that fails during its handshake may emit two errors: one for the certificate, and one for the alert that the
 * server sends. ioredis 6.0 listens to one error only, and the other ends the process.
 */
export class TlsConnector extends AbstractConnector {
  readonly #options: RedisOptions;

  /** @param options the options of ioredis, complete */
  constructor(options: unknown) {
    super((options as { disconnectTimeout: number }).disconnectTimeout);
    this.#options = options as RedisOptions;
  }

  override async connect() {
    this.connecting = true;
    // If the caller disconnects in the same turn of the event loop, no connection is opened.
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
