import autocannon from 'autocannon';

const CONNECTIONS = 64;

export interface LoadResult {
  readonly perSecond: number;
  /** The duration of a request, in ms. */
  readonly p50: number;
  readonly p99: number;
  /** The number of answered pings. */
  readonly answered: number;
}

/**
 * Sends pings over 64 connections. Each connection sends its next ping as soon as it has its answer.
 *
 * @param next returns the uuid to ping
 * @throws Error unless all pings are accepted
 */
export async function sendPings(url: string, apiKey: string, seconds: number, next: () => string): Promise<LoadResult> {
  const startedAt = performance.now();
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    duration: seconds,
    headers: { 'x-api-key': apiKey },
    requests: [
      {
        method: 'POST',
        setupRequest: (request) => ({ ...request, path: `/v1/sessions/${next()}/activity` }),
      },
    ],
  });
  const took = (performance.now() - startedAt) / 1_000;
  if (result.errors > 0 || result.non2xx > 0 || result['2xx'] === 0) {
    throw new Error(`${url}: of ${result['2xx']} pings ${result.non2xx} were refused and ${result.errors} failed`);
  }
  return { perSecond: result['2xx'] / took, p50: result.latency.p50, p99: result.latency.p99, answered: result['2xx'] };
}

/** Events per call, and concurrent calls. */
const EVENTS_PER_CALL = 1_000;
const CONCURRENT_CALLS = 4;

/**
 * Sends batches of events over concurrent loops. Each loop sends its next batch as soon as the one before is answered.
 *
 * @returns how many events were accepted per second
 * @throws Error unless all events are accepted
 */
export async function sendBatches(url: string, apiKey: string, seconds: number, next: () => string): Promise<number> {
  const from = performance.now();
  let taken = 0;
  const send = async () => {
    while (performance.now() - from < seconds * 1_000) {
      const events = Array.from({ length: EVENTS_PER_CALL }, () => ({ uuid: next() }));
      const answer = await fetch(`${url}/v1/activity`, {
        method: 'POST',
        headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
        body: JSON.stringify({ events }),
      });
      const { accepted } = (await answer.json()) as { accepted?: number };
      if (accepted !== EVENTS_PER_CALL) throw new Error(`${url}: ${answer.status}, ${accepted} of ${EVENTS_PER_CALL} events were taken`);
      taken += accepted;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_CALLS }, send));
  return taken / ((performance.now() - from) / 1_000);
}
