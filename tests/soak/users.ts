import { setTimeout as pause } from 'node:timers/promises';
import type { SessionBody, TestStack } from '../stack.ts';

/** In ms. With these, 2,000 users send some 500 pings per second, and some 50 sessions end and begin per second. */
const POLICIES = [
  { sleepAfter: 2_000, deleteAfter: 3_000 },
  { sleepAfter: 5_000, deleteAfter: 10_000 },
  { sleepAfter: 15_000, deleteAfter: 10_000 },
] as const;

/** Users arrive spread over this time, in ms. */
const ARRIVAL_MS = 5_000;
/** The interval of bursts and the time of the first (within the warm-up), in ms; and the pings per burst. Two APIs take 1,000 each. */
const BURST_EVERY_MS = 20_000;
const FIRST_BURST_MS = 2_000;
const BURST = 4_000;
/** The time limit for answers at the end, in ms. */
const PATIENCE_MS = 30_000;

const REFUSED = 503;
/** Expected statuses besides 503; any other answer is unexpected. */
const EXPECTED = { create: [201], ping: [202, 410], burst: [202], logout: [202], delete: [202, 410] } as const;
type RequestKind = keyof typeof EXPECTED;

/** Tells whether a connection was closed before its request was read, as an API does in a burst to those that have waited for 3 s. */
function isReset({ cause }: { readonly cause?: { readonly code?: string } }): boolean {
  return ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(cause?.code ?? '');
}

function between(least: number, most: number): number {
  return least + Math.random() * (most - least);
}

/** Simulates users who come and go, each with one session at a time, and occasional bursts. */
export class SoakUsers {
  pings = 0;
  refused = 0;
  /** Counts unexpected answers by kind. */
  readonly unexpected = new Map<string, number>();
  readonly #stack: TestStack;
  readonly #count: number;
  readonly #goodbye = new AbortController();
  #waiting = 0;

  constructor(stack: TestStack, count: number) {
    this.#stack = stack;
    this.#count = count;
  }

  /** Starts the users, and returns when all have left. */
  async live(): Promise<void> {
    await Promise.all([this.#bursts(), ...Array.from({ length: this.#count }, (_, i) => this.#user(i))]);
  }

  /** Stops all users from sending further requests. */
  stop(): void {
    this.#goodbye.abort();
  }

  /** Stops the users, and gives pending answers some time. */
  async leave(living: Promise<void>): Promise<void> {
    this.stop();
    await Promise.race([living, pause(PATIENCE_MS, undefined, { ref: false })]);
    if (this.#waiting > 0) this.unexpected.set(`no answer within ${PATIENCE_MS / 1_000} s`, this.#waiting);
  }

  get #leaving(): boolean {
    return this.#goodbye.signal.aborted;
  }

  async #rest(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.#goodbye.signal }).catch(() => {});
  }

  async #user(index: number): Promise<void> {
    const { sleepAfter, deleteAfter } = POLICIES[index % POLICIES.length]!;
    const policy = { sleepAfter: `${sleepAfter}ms`, deleteAfter: `${deleteAfter}ms` };
    await this.#rest(between(0, ARRIVAL_MS));
    for (let life = 0; !this.#leaving; life++) {
      // A new user id each time, because data kept by user must go with the session too.
      const userId = `user-${index}-${life}`;
      const { status, body } = await this.#ask('create', '/v1/sessions', { userId, policy });
      if (status === 201) await this.#use(body, sleepAfter, deleteAfter);
      else await this.#rest(1_000);
    }
  }

  /** Uses a session until it is gone. */
  async #use({ uuid, userId }: SessionBody, sleepAfter: number, deleteAfter: number): Promise<void> {
    while (!this.#leaving) {
      const dice = Math.random();
      if (dice < 0.02 && (await this.#ask('logout', `/v1/users/${userId}/logout`)).status === 202) return;
      if (dice > 0.98 && (await this.#ask('delete', `/v1/sessions/${uuid}`)).status === 202) return;
      if (dice < 0.74) await this.#rest(between(0.2, 0.9) * sleepAfter);
      else if (dice < 0.92) await this.#rest(sleepAfter + between(0.1, 0.9) * deleteAfter);
      else await this.#rest(sleepAfter + deleteAfter + between(500, 1_500));
      if (this.#leaving || (await this.#ask('ping', `/v1/sessions/${uuid}/activity`)).status === 410) return;
    }
  }

  async #bursts(): Promise<void> {
    await this.#rest(FIRST_BURST_MS);
    const { status, body } = await this.#ask('create', '/v1/sessions', { userId: 'burst' });
    while (!this.#leaving && status === 201) {
      const next = this.#rest(BURST_EVERY_MS);
      await Promise.all(Array.from({ length: BURST }, () => this.#ask('burst', `/v1/sessions/${body.uuid}/activity`)));
      await next;
    }
  }

  async #ask(deed: RequestKind, path: string, body?: unknown) {
    this.#waiting += 1;
    const answer = await this.#stack
      .call(deed === 'delete' ? 'DELETE' : 'POST', path, body)
      .catch((error) => ({
        status: deed === 'burst' && isReset(error) ? REFUSED : 0,
        body: (error.cause ?? error) as unknown as SessionBody,
      }))
      .finally(() => {
        this.#waiting -= 1;
      });
    if (deed === 'ping' || deed === 'burst') this.pings += 1;
    if (answer.status === REFUSED) this.refused += 1;
    else if (!(EXPECTED[deed] as readonly number[]).includes(answer.status)) {
      const { code, detail } = answer.body as { code?: string; detail?: string };
      const what = `${deed} answered ${[answer.status || 'nothing', code ?? answer.body, detail].filter(Boolean).join(' ')}`;
      this.unexpected.set(what, (this.unexpected.get(what) ?? 0) + 1);
    }
    return answer;
  }
}
