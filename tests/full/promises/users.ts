import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '@sandman/core';
import type { ProxiedStack } from './proxied-stack.ts';

/** An address where nothing listens. */
const UNUSED_ADDRESS = 'http://127.0.0.1:1';

/** Idle times of a policy, in ms; null means `never`. */
export interface IdleTimes {
  readonly sleepAfter: number | null;
  readonly deleteAfter: number;
}

/** Listed as often as each is used. Sessions of the last are asleep at the end of a run, the others are deleted. */
const POLICIES: readonly IdleTimes[] = [
  { sleepAfter: 4_000, deleteAfter: 6_000 },
  { sleepAfter: 4_000, deleteAfter: 6_000 },
  { sleepAfter: 5_000, deleteAfter: 12_000 },
  { sleepAfter: null, deleteAfter: 8_000 },
  { sleepAfter: 3_000, deleteAfter: 3_600_000 },
];

interface PromiseView {
  readonly uuid: string;
  readonly status: string;
  readonly lastActivity: string;
  readonly holdUntil: string | null;
}

/** One request of a user, with its times and its answer. */
export interface UserRequest {
  readonly uuid: string;
  readonly kind: 'create' | 'activity' | 'hold' | 'unhold' | 'sleep' | 'logout';
  /** The length of a hold, in ms. */
  readonly span: number;
  readonly sentAt: number;
  /** When the answer arrived, or it was clear that none would. */
  readonly answeredAt: number;
  /** The HTTP status, or 0 if there was no answer. */
  readonly status: number;
  readonly view: PromiseView | null;
}

/** Returns whether the user was told that the request was carried out. */
export function isAcknowledged({ status, view }: UserRequest): boolean {
  return status >= 200 && status < 300 && view !== null;
}

/** A user with one session at a time. */
class User {
  uuid = '';
  readonly idle: IdleTimes;
  readonly #id: string;
  readonly #users: Users;
  readonly #random: Random;

  constructor(users: Users, index: number, seed: number) {
    this.#users = users;
    this.#id = `user-${index}`;
    this.#random = new Random(seed + index * 7_919);
    this.idle = POLICIES[index % POLICIES.length]!;
  }

  async live(): Promise<void> {
    await this.#wait(0, 3_000);
    while (!this.#users.leaving) {
      if (this.uuid === '') await this.#create();
      else await this.#act();
    }
    await this.#leave();
  }

  /** How long this user's session may idle before it is put to sleep or deleted, in ms. */
  get #idleTime(): number {
    return this.idle.sleepAfter ?? this.idle.deleteAfter;
  }

  async #act(): Promise<void> {
    const dice = this.#random.next();
    if (dice < 0.45) return this.#type();
    // Around the deadline: just before it, at the decision, during the call, after it.
    if (dice < 0.63) return this.#after(this.#idleTime - 60, this.#idleTime + 140);
    if (dice < 0.8) return this.#after(this.#idleTime + 200, this.#idleTime + 3_500);
    if (dice < 0.86) return this.#after(this.#idleTime + this.idle.deleteAfter - 100, this.#idleTime + this.idle.deleteAfter + 1_500);
    if (dice < 0.92) return this.#hold();
    if (dice < 0.97) {
      await this.#do('sleep', 'POST', '/sleep');
      return this.#after(0, 1_500);
    }
    await this.#logout();
    await this.#wait(0, 300);
    // The page is still open in another tab and sends a ping.
    if (this.#random.next() < 0.7) await this.#ping();
    this.uuid = '';
  }

  async #type(): Promise<void> {
    for (let left = this.#random.between(2, 5); left > 0 && this.uuid !== '' && !this.#users.leaving; left--) {
      await this.#wait(100, 1_200);
      await this.#ping();
    }
  }

  async #after(from: number, to: number): Promise<void> {
    // Caps waits, because some deadlines are far away.
    await this.#wait(Math.min(from, 8_000), Math.min(to, 12_000));
    if (!this.#users.leaving) await this.#ping();
  }

  async #hold(): Promise<void> {
    const span = this.#random.between(1_500, 7_000);
    await this.#do('hold', 'POST', '/hold', { for: `${span}ms` }, span);
    if (this.#random.next() < 0.3) {
      await this.#wait(200, span);
      await this.#do('unhold', 'DELETE', '/hold');
    } else {
      await this.#wait(span - 200, span + 200);
    }
  }

  /** Pings until it is accepted, as a user presses a button again. */
  async #ping(): Promise<void> {
    while (this.uuid !== '') {
      const { status } = await this.#do('activity', 'POST', '/activity');
      if (status === 202) return;
      await this.#retry();
    }
  }

  async #create(): Promise<void> {
    const { sleepAfter, deleteAfter } = this.idle;
    const policy = { sleepAfter: sleepAfter === null ? 'never' : `${sleepAfter}ms`, deleteAfter: `${deleteAfter}ms` };
    const { view } = await this.#request('create', 'POST', '/v1/sessions', { userId: this.#id, policy });
    if (!view) return this.#retry();
    this.uuid = view.uuid;
    this.#users.policies.set(view.uuid, this.idle);
  }

  async #logout(): Promise<void> {
    while ((await this.#request('logout', 'POST', `/v1/users/${this.#id}/logout`)).status !== 202) await this.#retry();
  }

  /** Sends the last request: some users leave without one, some leave a hold for a long job, some log out. */
  async #leave(): Promise<void> {
    const dice = this.#random.next();
    if (this.uuid === '' || dice < 0.5) return;
    if (dice < 0.7) return this.#ping();
    if (dice < 0.85) {
      await this.#do('hold', 'POST', '/hold', { for: '10m' }, 600_000);
      return;
    }
    await this.#logout();
  }

  async #do(kind: UserRequest['kind'], method: string, path: string, body?: unknown, span = 0): Promise<UserRequest> {
    const request = await this.#request(kind, method, `/v1/sessions/${this.uuid}${path}`, body, span);
    if (request.status === 410 || request.status === 404) this.uuid = '';
    return request;
  }

  async #request(kind: UserRequest['kind'], method: string, path: string, body?: unknown, span = 0): Promise<UserRequest> {
    const { uuid } = this;
    const sentAt = Date.now();
    const answer = await this.#users.world.request<PromiseView & { items?: PromiseView[] }>(
      this.#users.api(this.#random),
      method,
      path,
      body,
    );
    const found = answer.status < 300 ? answer.body : null;
    const view = found?.items ? (found.items.find((item) => item.uuid === uuid) ?? null) : found;
    const request = { uuid: view?.uuid ?? uuid, kind, span, sentAt, answeredAt: Date.now(), status: answer.status, view };
    this.#users.log.push(request);
    return request;
  }

  async #retry(): Promise<void> {
    await pause(this.#random.between(80, 250));
  }

  async #wait(from: number, to: number): Promise<void> {
    await this.#users.rest(this.#random.between(from, to));
  }
}

/** All users, and the log of their requests and answers. */
export class Users {
  readonly world: ProxiedStack;
  readonly log: UserRequest[] = [];
  readonly policies = new Map<string, IdleTimes>();
  readonly #goodbye = new AbortController();
  readonly #crowd: User[];

  constructor(world: ProxiedStack, count: number, seed: number) {
    this.world = world;
    this.#crowd = Array.from({ length: count }, (_, index) => new User(this, index, seed));
  }

  get leaving(): boolean {
    return this.#goodbye.signal.aborted;
  }

  /** Picks a random API, as a load balancer does that does not know yet which one is dead or not ready. */
  api(random: Random): string {
    return this.world.apis.length === 0 ? UNUSED_ADDRESS : random.pick(this.world.apis).url;
  }

  async rest(ms: number): Promise<void> {
    await pause(Math.max(0, ms), undefined, { signal: this.#goodbye.signal }).catch(() => {});
  }

  /** Starts the users, and returns when the last has left. */
  async live(): Promise<void> {
    await Promise.all(this.#crowd.map((user) => user.live()));
  }

  stop(): void {
    this.#goodbye.abort();
  }
}
