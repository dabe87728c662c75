import type { ActivityKind, TouchResult } from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import type { ShardKeys } from './keys.ts';
import { decodeRecord, FIELDS, type IngestReply } from './record.ts';
import { loadScript } from './script.ts';

const touch = loadScript('touch');

/** Touches of one call at most: Redis serves nobody else for about half a millisecond. */
const MOST = 50;

interface Asked {
  readonly uuid: string;
  readonly kind: ActivityKind;
  readonly at: number | null;
  readonly resolve: (result: TouchResult) => void;
  readonly reject: (error: unknown) => void;
}

/** What became of one: touched 0|1, record, sleep alarm moved 0|1, delete alarm moved 0|1; or why it could not be. */
type Answer = readonly [number, string, number, number] | string;

/** The touches of a shard: all that come in one turn of the event loop travel together. */
export class Touches {
  readonly #redis: Redis | Cluster;
  readonly #keys: ShardKeys;
  readonly #slack: number;
  #asked: Asked[] = [];

  /** @param slack percent */
  constructor(redis: Redis | Cluster, keys: ShardKeys, slack: number) {
    this.#redis = redis;
    this.#keys = keys;
    this.#slack = slack;
  }

  touch(uuid: string, kind: ActivityKind, at: number | null): Promise<TouchResult> {
    return new Promise((resolve, reject) => {
      if (this.#asked.length === 0) setImmediate(() => this.#send());
      this.#asked.push({ uuid, kind, at, resolve, reject });
    });
  }

  #send(): void {
    const asked = this.#asked;
    this.#asked = [];
    for (let from = 0; from < asked.length; from += MOST) {
      const some = asked.slice(from, from + MOST);
      this.#call(some).catch((error) => {
        for (const { reject } of some) reject(error);
      });
    }
  }

  async #call(asked: readonly Asked[]): Promise<void> {
    const keys = [this.#keys.ingest, ...asked.map(({ uuid }) => this.#keys.session(uuid))];
    const args = asked.flatMap(({ kind, at }) => [kind === 'user' ? FIELDS.lastActivity : FIELDS.lastBackground, at ?? '']);
    const [now, ingest, ...answers] = (await touch(this.#redis, keys, [this.#slack, ...args])) as [number, IngestReply, ...Answer[]];
    for (const [i, { uuid, resolve, reject }] of asked.entries()) {
      const answer = answers[i]!;
      if (typeof answer === 'string') {
        reject(new Error(answer));
        continue;
      }
      const [touched, json, sleep, remove] = answer;
      const record = decodeRecord(uuid, json, ingest);
      resolve(
        touched && record
          ? { kind: 'touched', now, record, moved: { sleep: sleep === 1, delete: remove === 1 } }
          : { kind: 'dormant', now, record },
      );
    }
  }
}
