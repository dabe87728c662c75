import { connect } from 'node:tls';
import { AbstractConnector, type RedisOptions } from 'ioredis';

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
