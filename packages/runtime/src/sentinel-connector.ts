import { type Redis, type RedisOptions, SentinelConnector } from 'ioredis';
import { TlsConnector } from './tls-connector.ts';

/** Private members of ioredis, where the two faults are. */
interface Internals {
  connectToSentinel(endpoint: unknown, settings: object): Redis;
  failoverDetector: { cleanup(): void } | null;
}

/**
 * Finds the master through sentinels as ioredis 6.0 does, without two of its faults:
 *
 * - A sentinel's message about a new master closes the connection to the old one. If it came while the client was already
 *   reconnecting, it closed the client for good: every later command failed with "Connection is closed.".
 * - Encrypted connections, to sentinels and to the master, could fail twice, and the second error ended the process
 *   (see {@link TlsConnector}).
 */
export class SteadySentinelConnector extends SentinelConnector {
  readonly #internals = this as unknown as Internals;

  /** @param options the options of ioredis, complete */
  constructor(options: unknown) {
    super(options as RedisOptions);
    if (!this.options.tls) return;
    const open = this.#internals.connectToSentinel;
    this.#internals.connectToSentinel = (endpoint, settings) => open.call(this, endpoint, { ...settings, Connector: TlsConnector });
  }

  override async connect(...args: Parameters<SentinelConnector['connect']>) {
    // No message about a new master is needed now: the client asks the sentinels, and ioredis listens again once connected.
    this.#internals.failoverDetector?.cleanup();
    const socket = await super.connect(...args);
    socket.on('error', () => {});
    return socket;
  }
}
