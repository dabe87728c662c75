import { type Redis, type RedisOptions, SentinelConnector } from 'ioredis';
import { TlsConnector } from './tls-connector.ts';

/** What ioredis keeps to itself, where the two faults are. */
interface Internals {
  connectToSentinel(endpoint: unknown, settings: object): Redis;
  failoverDetector: { cleanup(): void } | null;
}

/**
 * Finds the master through sentinels as ioredis 6.0 does, without two of its faults:
 *
 * - A sentinel's word of a new master closes the connection to the old one. Where it came while the client was connecting
 *   again by itself, it ended the client for good: every later command failed with "Connection is closed.".
 * - Encrypted connections, to sentinels and to the master, could fail twice, and the second error ended the process
 *   (see {@link TlsConnector}).
 */
export class SteadySentinelConnector extends SentinelConnector {
  readonly #internals = this as unknown as Internals;

  /** @param options ioredis' own, complete */
  constructor(options: unknown) {
    super(options as RedisOptions);
    if (!this.options.tls) return;
    const open = this.#internals.connectToSentinel;
    this.#internals.connectToSentinel = (endpoint, settings) => open.call(this, endpoint, { ...settings, Connector: TlsConnector });
  }

  override async connect(...args: Parameters<SentinelConnector['connect']>) {
    // No word of a new master is needed now: the sentinels are asked, and ioredis listens again once it is connected.
    this.#internals.failoverDetector?.cleanup();
    const socket = await super.connect(...args);
    socket.on('error', () => {});
    return socket;
  }
}
