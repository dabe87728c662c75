import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface ProxyTarget {
  readonly host: string;
  /** 1 to 65,535. */
  readonly port: number;
}

/** How long each chunk is delayed, per direction, in ms from 0 to 60,000. */
interface ProxyDelay {
  /** From the client to the target. */
  readonly to?: number;
  /** From the target back to the client. */
  readonly from?: number;
}

/** A TCP proxy on 127.0.0.1 whose network fails on demand. A fault lasts until `normal`. */
export interface FaultProxy {
  readonly host: string;
  readonly port: number;
  /** @returns the number of open connections */
  connections(): number;
  /**
   * Delays chunks from now on. A direction that is left out is not delayed.
   *
   * @throws TypeError if the argument is no delay, RangeError naming the direction; then nothing changes
   */
  delay(delay: ProxyDelay): void;
  /** Resets all connections now; accepts new ones. */
  cut(): void;
  /** Refuses new connections; those that are open stay. */
  refuse(): Promise<void>;
  /** Accepts connections and bytes, and passes nothing on in either direction. */
  blackhole(): void;
  /** Ends all faults. Resets connections that lost bytes in a blackhole, because the bytes that follow would make no sense. */
  normal(): Promise<void>;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';
const LONGEST_DELAY_MS = 60_000;
/** How long the target may take to accept the connection that shows that it can be reached, in ms. */
const REACH_MS = 15_000;

function checkedDelay(direction: keyof ProxyDelay, delay: ProxyDelay): number {
  const ms = delay[direction];
  if (ms === undefined) return 0;
  if (typeof ms !== 'number' || !(ms >= 0 && ms <= LONGEST_DELAY_MS)) {
    throw new RangeError(`delay.${direction} must be 0 to ${LONGEST_DELAY_MS} ms, not ${ms}`);
  }
  return ms;
}

async function assertReachable({ host, port }: ProxyTarget): Promise<void> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(REACH_MS) });
  } catch (cause) {
    throw new Error(`the proxy's target ${host}:${port} cannot be reached`, { cause });
  } finally {
    socket.destroy();
  }
}

/**
 * Starts a proxy in front of a TCP server.
 *
 * @throws TypeError on a malformed target
 * @throws Error if no server listens there
 */
export async function startFaultProxy(target: ProxyTarget): Promise<FaultProxy> {
  const { host, port } = target ?? {};
  if (typeof host !== 'string' || host === '' || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new TypeError(`a proxy's target is {host, port} with a port from 1 to 65535, not ${JSON.stringify(target)}`);
  }
  await assertReachable(target);

  const links = new Set<Link>();
  let delays: Required<ProxyDelay> = { to: 0, from: 0 };
  let swallowing = false;

  class Link {
    #lossy = false;
    readonly #client: Socket;
    readonly #upstream: Socket;

    constructor(client: Socket) {
      this.#client = client.setNoDelay();
      this.#upstream = connect({ host, port }).setNoDelay();
      links.add(this);
      this.#pass(client, this.#upstream, 'to');
      this.#pass(this.#upstream, client, 'from');
      // In a blackhole not even the end of a connection is passed on.
      for (const socket of [client, this.#upstream]) socket.on('error', () => {}).on('close', () => swallowing || this.break());
    }

    get lossy(): boolean {
      return this.#lossy || this.#client.destroyed || this.#upstream.destroyed;
    }

    break(): void {
      links.delete(this);
      this.#client.resetAndDestroy();
      this.#upstream.resetAndDestroy();
    }

    #pass(from: Socket, to: Socket, direction: keyof ProxyDelay): void {
      // A queue keeps the chunks in order. With a timer for each, a chunk could overtake one with a longer delay.
      const queue: { readonly due: number; readonly act: () => void }[] = [];
      let waits = false;
      const go = () => {
        waits = false;
        while (queue.length > 0) {
          const wait = queue[0]!.due - performance.now();
          if (wait > 0) {
            waits = true;
            setTimeout(go, Math.ceil(wait));
            return;
          }
          queue.shift()!.act();
        }
      };
      const later = (act: () => void) => {
        queue.push({ due: performance.now() + delays[direction], act });
        if (!waits) go();
      };
      from.on('data', (chunk) => {
        if (swallowing) this.#lossy = true;
        else later(() => swallowing || to.destroyed || to.write(chunk));
      });
      from.on('end', () => {
        if (swallowing) this.#lossy = true;
        else later(() => swallowing || to.end());
      });
    }
  }

  const server = createServer({ allowHalfOpen: true }, (client) => new Link(client));
  const listen = async (at: number) => {
    server.listen(at, HOST);
    await once(server, 'listening');
  };
  await listen(0);
  const own = (server.address() as AddressInfo).port;
  const cut = () => {
    for (const link of links) link.break();
  };
  const refuse = async () => {
    // This call closes the listening socket at once; its callback would wait for the connections as well.
    if (server.listening) server.close();
  };

  return {
    host: HOST,
    port: own,
    connections: () => links.size,
    delay(delay) {
      if (typeof delay !== 'object' || delay === null || Object.keys(delay).some((key) => key !== 'to' && key !== 'from')) {
        throw new TypeError(`a delay is {to, from} in ms, not ${JSON.stringify(delay)}`);
      }
      delays = { to: checkedDelay('to', delay), from: checkedDelay('from', delay) };
    },
    cut,
    refuse,
    blackhole() {
      swallowing = true;
    },
    async normal() {
      delays = { to: 0, from: 0 };
      swallowing = false;
      for (const link of links) if (link.lossy) link.break();
      if (!server.listening) await listen(own);
    },
    async close() {
      await refuse();
      cut();
    },
  };
}
