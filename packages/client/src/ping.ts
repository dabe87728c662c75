import type { SandmanClient } from './client.ts';
import { RareWarning } from './drops.ts';

type UuidOrNone = string | null | undefined;

export interface PingOptions<Request> {
  readonly client: Pick<SandmanClient, 'activity'>;
  /** Returns the uuid of the session that an authenticated request belongs to; null or undefined if it belongs to none. */
  readonly session: (request: Request) => UuidOrNone | Promise<UuidOrNone>;
}

/** Returns a function that pings for a request that was answered with `status`. It never throws, and its promise never rejects. */
export function createPing<Request>({ client, session }: PingOptions<Request>): (request: Request, status: number) => Promise<void> {
  if (typeof client?.activity !== 'function') throw new TypeError('sandmanActivity: client must be a SandmanClient');
  if (typeof session !== 'function') throw new TypeError("sandmanActivity: session must be a function that answers a request's uuid");
  const failed = new RareWarning('the session of a request could not be told');
  return async (request, status) => {
    // A refused caller is not the session's user.
    if (status === 401 || status === 403) return;
    try {
      const uuid = await session(request);
      if (uuid) client.activity(uuid);
    } catch (error) {
      failed.add(error instanceof Error ? error.message : String(error), 1);
    }
  };
}
