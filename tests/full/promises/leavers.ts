import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '@sandman/core';
import type { ProxiedStack } from './proxied-stack.ts';

/** Under this policy nothing is deleted in a run, but by a grace. */
const LONG = { sleepAfter: '1h', deleteAfter: '1h' };
/** Under this one everything is deleted soon, but what is kept. */
const SHORT = { sleepAfter: '300ms', deleteAfter: '500ms' };

interface View {
  readonly uuid: string;
  readonly deleteAt: string | null;
  readonly keepUntil: string | null;
}

/** A session that was deleted with a grace, or kept, and what its user was told. Times in ms since the epoch. */
export interface Leaving {
  readonly uuid: string;
  readonly kind: 'grace' | 'keep';
  /** The acknowledged end of the grace or the keep. */
  readonly until: number;
  /** The user's return, which is tried until it is answered with 202 or 410; null: the user stayed away. */
  readonly back: { readonly sentAt: number; readonly answeredAt: number; readonly status: number } | null;
}

/** Users who leave with a grace, and users who keep their sessions, one session after the other. */
export class Leavers {
  readonly log: Leaving[] = [];
  readonly #world: ProxiedStack;
  readonly #random: Random;
  readonly #goodbye = new AbortController();

  constructor(world: ProxiedStack, seed: number) {
    this.#world = world;
    this.#random = new Random(~seed);
  }

  /** Starts the users, and returns when the last has left. */
  async live(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, (_, i) => this.#liveOne(`leaver-${i}`, i % 2 === 0)));
  }

  stop(): void {
    this.#goodbye.abort();
  }

  async #liveOne(userId: string, hasGrace: boolean): Promise<void> {
    while (!this.#goodbye.signal.aborted) {
      await (hasGrace ? this.#leaveWithGrace(userId) : this.#keep(userId));
      await this.#rest(this.#random.between(100, 1_000));
    }
  }

  async #leaveWithGrace(userId: string): Promise<void> {
    const uuid = await this.#create(userId, LONG);
    if (uuid === '') return;
    const ms = this.#random.between(1_000, 6_000);
    const left = await this.#request('DELETE', `/v1/sessions/${uuid}?grace=${ms}ms`);
    // Whether it was carried out is unknown, so nothing is promised.
    if (left.status !== 202 || !left.body) return;
    const until = Date.parse(left.body.deleteAt!);
    const returns = this.#random.chance(0.6);
    // From well before the end to just after it.
    if (returns) await this.#rest(until - Date.now() - this.#random.pick([ms / 2, 60, 20, 0, -20]));
    this.log.push({ uuid, kind: 'grace', until, back: returns ? await this.#comeBack(uuid) : null });
  }

  async #keep(userId: string): Promise<void> {
    const uuid = await this.#create(userId, LONG);
    if (uuid === '') return;
    const kept = await this.#request('POST', `/v1/sessions/${uuid}/keep`, { for: `${this.#random.between(4_000, 9_000)}ms` });
    if (kept.status !== 200 || !kept.body) return;
    const until = Date.parse(kept.body.keepUntil!);
    if ((await this.#request('PATCH', `/v1/sessions/${uuid}`, { policy: SHORT })).status !== 200) return;
    if (this.#random.chance(0.5)) await this.#request('POST', `/v1/users/${userId}/logout`);
    this.log.push({ uuid, kind: 'keep', until, back: null });
    await this.#rest(until - Date.now() + 1_000);
  }

  async #comeBack(uuid: string): Promise<Leaving['back']> {
    for (;;) {
      const sentAt = Date.now();
      const { status } = await this.#request('POST', `/v1/sessions/${uuid}/activity`);
      if (status === 202 || status === 410) return { sentAt, answeredAt: Date.now(), status };
      await pause(100);
    }
  }

  async #create(userId: string, policy: object): Promise<string> {
    const { status, body } = await this.#request('POST', '/v1/sessions', { userId, policy });
    if (status === 201 && body) return body.uuid;
    return '';
  }

  #request(method: string, path: string, body?: unknown) {
    const { apis } = this.#world;
    const api = apis.length === 0 ? 'http://127.0.0.1:1' : this.#random.pick(apis).url;
    return this.#world.request<View>(api, method, path, body);
  }

  async #rest(ms: number): Promise<void> {
    await pause(Math.max(0, ms), undefined, { signal: this.#goodbye.signal }).catch(() => {});
  }
}
