import { type Action, type Policy, Random } from '@sandman/core';
import { expect, it } from 'vitest';
import type { User } from './users.ts';
import { World } from './world.ts';

/** Each trace is played once for each seed; the seed determines the latencies. */
const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1);
const BOUNDS = { timeout: 2_000, late: 1_500 };
const WARNING_MS = 1_000;
/** How long ring, heartbeat, read and write may take together in this world, in ms. */
const SLOW_MS = 600;
const POLICY: Policy = { name: 'custom', sleepAfter: 3_000, deleteAfter: 60_000, backgroundCap: 14_400_000 };

/** A world with one session, which is created once and then used as the trace says. */
class Stage {
  readonly world: World;
  readonly ada: User;
  readonly calls: Action[] = [];
  /** How long before the planned sleep each warning came, in ms. */
  readonly warnings: number[] = [];
  readonly #trace: string[] = [];

  constructor(seed: number) {
    this.world = new World({
      random: new Random(seed),
      skew: 0,
      bounds: BOUNDS,
      warning: WARNING_MS,
      // The tests count all calls, and a patrol would add some.
      patrols: false,
      trace: (text) => this.#trace.push(text),
    });
    this.world.onCall = ({ action }) => this.calls.push(action);
    this.world.onWarning = (_, sleepAt) => this.warnings.push(sleepAt - this.world.timeline.now);
    this.ada = this.world.user('s0');
    this.world.startApi();
    this.world.startWorker();
    this.world.startWorker();
    // After the first heartbeats of the workers and the API.
    this.world.timeline.in(1_000, () => this.ada.create(POLICY));
  }

  get record() {
    return this.world.state.records.get('s0');
  }

  get pod() {
    return this.world.pods.truth('s0');
  }

  /** Calls `strike` once, at the first call of that kind. */
  during(action: Action, strike: () => void): void {
    const watch = this.world.onCall;
    let struck = false;
    this.world.onCall = (call) => {
      watch(call);
      if (struck || call.action !== action) return;
      struck = true;
      strike();
    };
  }

  in(ms: number, happen: () => void): void {
    this.world.timeline.in(ms, happen);
  }

  /** Lets time pass. @throws when a promise is broken */
  async pass(ms: number): Promise<void> {
    const { timeline, verdict } = this.world;
    for (const end = timeline.now + ms; timeline.now < end; ) {
      timeline.step();
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (verdict.violation) throw new Error([verdict.violation, ...this.#trace].join('\n'));
  }

  /** Lets time pass until a condition holds. @throws after 60 s, and when a promise is broken */
  async until(what: string, isSo: () => boolean): Promise<void> {
    const { timeline } = this.world;
    for (const end = timeline.now + 60_000; !isSo(); ) {
      if (timeline.now > end) throw new Error([`never: ${what}`, ...this.#trace].join('\n'));
      await this.pass(1);
    }
  }
}

function trace(name: string, play: (stage: Stage) => Promise<void>): void {
  it(name, async () => {
    for (const seed of SEEDS) {
      const stage = new Stage(seed);
      await stage.until('her pod is there, and looked at', () => stage.record?.pod === 'awake' && stage.record.verifyAt === 0);
      stage.calls.length = 0;
      await play(stage);
    }
  });
}

trace('a ping during the sleep call: the wake follows at once', async (stage) => {
  stage.during('sleep', () => stage.ada.ping(null));
  await stage.until('the pod sleeps', () => stage.pod === 'asleep');
  await stage.until('it is woken', () => stage.record?.pod === 'awake');
  expect(stage.calls).toEqual(['sleep', 'wake']);
});

trace('a sleep times out, its user comes, and it lands after the wake: that is found out, and the pod woken again', async (stage) => {
  let landed = 0;
  stage.during('sleep', () => {
    stage.world.pods.next = 'late';
    stage.in(500, () => stage.ada.ping(null));
  });
  await stage.until('the sleep is begun', () => stage.calls.includes('sleep'));
  // The user stays.
  for (let ms = 1_000; ms < 12_000; ms += 1_000) stage.in(ms, () => stage.ada.ping(null));
  await stage.until('the doubt is over', () => {
    if (stage.record?.pod === 'awake' && stage.pod === 'asleep') landed++;
    return stage.record?.pod === 'awake' && stage.record.verifyAt === 0;
  });
  await stage.pass(1_000);
  expect(stage.pod).toBe('awake');
  expect(stage.calls.slice(0, 3)).toEqual(['sleep', 'wake', 'status']);
  expect(stage.calls.filter((call) => call === 'wake')).toHaveLength(landed > 0 ? 2 : 1);
});

trace('a process is paused between its commit and its call: it does not send that any more', async (stage) => {
  stage.world.onWrite = ({ after }) => {
    if (after.action !== 'sleep') return;
    stage.world.onWrite = () => {};
    const owner = stage.world.workers.find(({ process }) => after.token.startsWith(process.name))!;
    stage.world.pause(owner.process, 2_000);
    stage.in(500, () => stage.ada.ping(null));
    stage.in(1_800, () => stage.ada.ping(null));
  };
  await stage.until('the sleep is decided', () => stage.record?.action === 'sleep');
  await stage.until('its owner gives it up', () => stage.record?.action === '');
  await stage.until('all is as wanted', () => stage.record?.pod === 'awake');
  expect(stage.calls).not.toContain('sleep');
  expect(stage.pod).toBe('awake');
});

trace('a process is paused for longer than its lease: its result is not applied over its successor’s', async (stage) => {
  stage.during('sleep', () => {
    const { process } = stage.world.workers.find((worker) => stage.record?.token.startsWith(worker.process.name))!;
    stage.world.pause(process, 20_000);
    stage.in(1_000, () => stage.ada.ping(null));
    for (let ms = 9_000; ms < 25_000; ms += 1_000) stage.in(ms, () => stage.ada.ping(null));
  });
  await stage.until('the pod sleeps', () => stage.pod === 'asleep');
  await stage.until('another has woken it', () => stage.pod === 'awake');
  await stage.until('the doubt is over', () => stage.record?.verifyAt === 0);
  await stage.pass(15_000);
  expect(stage.calls).toEqual(['sleep', 'wake', 'status']);
  expect(stage.record).toMatchObject({ pod: 'awake', wanted: 'awake' });
});

trace('a crash between the commit of a wake and its arming: the mark is found, and the user woken', async (stage) => {
  stage.ada.sleep();
  await stage.until('the pod sleeps', () => stage.record?.pod === 'asleep');
  let killed = false;
  stage.world.onWrite = ({ before, after }) => {
    if (before?.wanted !== 'asleep' || after.wanted !== 'awake') return;
    stage.world.onWrite = () => {};
    killed = true;
    stage.world.kill(stage.world.apis[0]!.process);
    stage.world.startApi();
  };
  stage.ada.ping(null);
  await stage.until('she is wanted awake', () => stage.record?.wanted === 'awake');
  expect(killed).toBe(true);
  await stage.pass(5_000);
  expect(stage.calls).toContain('wake');
});

trace('a wake that is not served until the next deadline: nobody is put to sleep on that', async (stage) => {
  stage.ada.sleep();
  await stage.until('the pod sleeps', () => stage.record?.pod === 'asleep');
  Object.assign(stage.world.pods, { faults: ['refused'], faultRate: 1 });
  stage.ada.ping(null);
  await stage.pass(POLICY.sleepAfter! + 5_000);
  expect(stage.record?.wanted).toBe('awake');
  stage.world.pods.faultRate = 0;
  await stage.until('she is woken', () => stage.pod === 'awake');
  expect(stage.calls.filter((call) => call === 'sleep')).toHaveLength(1);
});

trace('a delete times out, the uuid comes back, and it lands on the new life: that is found out', async (stage) => {
  stage.during('delete', () => {
    stage.world.pods.next = 'late';
  });
  stage.ada.logout();
  await stage.until('it is said to be deleted', () => stage.record?.pod === 'gone');
  stage.ada.create({ ...POLICY, sleepAfter: null, deleteAfter: null });
  await stage.until('it has a new life', () => stage.record?.wanted === 'awake');
  // Long enough for a 404 to be confirmed, and so believed.
  await stage.pass(45_000);
  expect(stage.record?.pod).toBe(stage.pod);
});

trace('a job that stalls under a killed worker: another does the work, once', async (stage) => {
  stage.during('sleep', () => {
    const { process } = stage.world.workers.find((worker) => stage.record?.token.startsWith(worker.process.name))!;
    stage.world.kill(process);
  });
  await stage.until('the pod sleeps', () => stage.pod === 'asleep');
  await stage.until('that is known', () => stage.record?.pod === 'asleep');
  await stage.pass(10_000);
  expect(stage.calls.filter((call) => call === 'sleep').length).toBeLessThanOrEqual(2);
  expect(stage.pod).toBe('asleep');
});

trace('a heartbeat lies in a frozen Redis, and its API is gone when that goes on: it opens nothing', async (stage) => {
  await stage.pass(1_000);
  stage.world.outage('freeze', 6_000);
  stage.in(1_000, () => stage.world.kill(stage.world.apis[0]!.process));
  stage.in(9_000, () => stage.world.startApi());
  await stage.pass(9_000);
  stage.ada.ping(null);
  await stage.pass(500);
  expect(stage.calls).toEqual([]);
  expect(stage.record?.wanted).toBe('awake');
});

trace('a failover forgets a wake: whoever came is woken all the same', async (stage) => {
  stage.ada.sleep();
  await stage.until('the pod sleeps', () => stage.record?.pod === 'asleep');
  stage.world.forget(300);
  stage.ada.ping(null);
  await stage.until('she is wanted awake', () => stage.record?.wanted === 'awake');
  await stage.until('Redis knows nothing of the wake any more', () => stage.record?.wanted === 'asleep');
  await stage.until('the woken pod is found', () => stage.record?.wanted === 'awake' && stage.record.verifyAt === 0);
  expect(stage.pod).toBe('awake');
});

trace('all alarms are lost: the sweep finds that, and the pod sleeps', async (stage) => {
  // Loses all jobs, once they are armed.
  await stage.pass(500);
  for (let jobs = 0; jobs < 10; jobs++) stage.world.loseJob();
  await stage.until('the pod sleeps', () => stage.pod === 'asleep');
  expect(stage.world.verdict.checked.repairs).toBeGreaterThan(0);
});

trace('a warning comes before a sleep, once, and at its time', async (stage) => {
  await stage.until('it sleeps', () => stage.record?.pod === 'asleep');
  expect(stage.warnings).toHaveLength(1);
  expect(stage.warnings[0]).toBeLessThanOrEqual(WARNING_MS);
  expect(stage.warnings[0]).toBeGreaterThan(WARNING_MS - SLOW_MS);
});

trace('no warning comes while somebody comes again and again; once she stops, one does', async (stage) => {
  for (let i = 0; i < 8; i++) {
    stage.ada.ping(null);
    await stage.pass(1_000);
  }
  expect(stage.warnings).toEqual([]);
  await stage.until('it sleeps', () => stage.record?.pod === 'asleep');
  expect(stage.warnings).toHaveLength(1);
});

trace('whoever comes upon a warning stays awake, and is warned again before the next sleep', async (stage) => {
  await stage.until('she is warned', () => stage.warnings.length === 1);
  stage.ada.ping(null);
  await stage.pass(POLICY.sleepAfter! - WARNING_MS - SLOW_MS);
  expect(stage.warnings).toHaveLength(1);
  expect(stage.record?.wanted).toBe('awake');
  await stage.until('it sleeps', () => stage.record?.pod === 'asleep');
  expect(stage.warnings).toHaveLength(2);
  expect(stage.warnings[1]).toBeGreaterThan(WARNING_MS - SLOW_MS);
});

trace('a worker that dies over a warning costs no sleep', async (stage) => {
  stage.world.onWarning = () => {
    for (const { process } of [...stage.world.workers]) stage.world.kill(process);
    stage.in(2_000, () => stage.world.startWorker());
  };
  await stage.until('it sleeps', () => stage.record?.pod === 'asleep');
  expect(stage.calls).toEqual(['sleep']);
});
