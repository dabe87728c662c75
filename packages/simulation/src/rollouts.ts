import { PolicySet, type Random } from '@sandman/core';
import { type PolicySource, SharedPolicies } from '@sandman/lifecycle';
import { MemoryPolicies } from './memory-policies.ts';
import type { MemoryShard } from './memory-store.ts';
import type { SimulatedProcess } from './process.ts';
import type { Command } from './redis.ts';
import type { Timeline } from './timeline.ts';

/**
 * The name of the policy that rollouts change. It is a preset's, so that code that falls back to the preset where `POLICIES`
 * lacks the name would change the sessions, which the verdict notices.
 */
export const ROLLOUT_POLICY = 'balanced';
/** The values that rollouts give the policy, in turn. Its `backgroundCap` tells the versions apart. */
const ROLLOUTS = [
  { sleepAfter: '6s', deleteAfter: '4s' },
  { sleepAfter: '3s', deleteAfter: '12s' },
  { sleepAfter: 'never', deleteAfter: '7s' },
  { sleepAfter: '4s', deleteAfter: 'never' },
];
const ROLLOUT_EVERY_MS = 9_000;
/** Within this time, in ms, a rollout replaces the processes. One that crashes half way is rolled back after twice this time. */
const ROLLOUT_MS = 3_000;
/** The `backgroundCap` of version 0, in ms; each version adds 1 ms. No simulated user asks for such a cap. */
const VERSIONED_CAP_MS = 20_000;

export interface RolloutWorld {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly state: () => MemoryShard;
  readonly apis: readonly { readonly process: SimulatedProcess }[];
  readonly workers: readonly { readonly process: SimulatedProcess }[];
  /** Kills the process, if it is alive, and starts another one of its kind. */
  readonly replace: (process: SimulatedProcess) => void;
  readonly trace: (text: string) => void;
}

/** Changes the `POLICIES` of all processes again and again, from version 0, which has none. */
export class Rollouts {
  readonly #world: RolloutWorld;
  /** The version of `POLICIES` that a process starts with. */
  #version = 0;

  constructor(world: RolloutWorld) {
    this.#world = world;
  }

  /** Restarts all processes with this version; a rollout that crashes restarts some of them, and is then rolled back. */
  rollOut(version: number): void {
    const { timeline, random, apis, workers, replace, trace } = this.#world;
    trace(`rollout of version ${version}`);
    const before = this.#version;
    this.#version = version;
    const crashes = random.chance(0.3);
    for (const { process } of [...apis, ...workers]) {
      if (crashes && random.chance(0.5)) continue;
      timeline.in(random.between(0, ROLLOUT_MS), () => replace(process));
    }
    if (crashes) {
      timeline.in(2 * ROLLOUT_MS, () => {
        trace(`version ${version} is rolled back`);
        this.#version = before;
        for (const { process } of [...apis, ...workers]) replace(process);
      });
    }
    timeline.in(ROLLOUT_EVERY_MS, () => this.rollOut(version + 1));
  }

  /** Makes the policies in force of a process. With `announcesNone` it has no `POLICIES` of its own, and follows the others. */
  policiesOf(process: SimulatedProcess, command: Command, announcesNone: boolean): PolicySource {
    const { state, trace } = this.#world;
    const version = this.#version;
    const policy = { ...ROLLOUTS[version % ROLLOUTS.length], backgroundCap: `${VERSIONED_CAP_MS + version}ms` };
    // Every third version does not define the sessions' policy: they keep the values that they have.
    const name = version % 3 === 0 ? 'another' : ROLLOUT_POLICY;
    return new SharedPolicies({
      own: new PolicySet(version === 0 || announcesNone ? {} : { [name]: policy }),
      announces: true,
      version: announcesNone ? 0 : version,
      shadows: [],
      agreement: new MemoryPolicies(state, command),
      system: process.system,
      changed: (to) => trace(`${process.name} uses version ${to}`),
      overruled: (by) => trace(`${process.name} was told version ${version}, and ${by} is in force`),
      failed: () => {},
    });
  }
}
