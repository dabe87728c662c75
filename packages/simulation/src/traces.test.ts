import { type Action, type Policy, Random } from '@sandman/core';
import { expect, it } from 'vitest';
import type { SimulatedUser } from './users.ts';
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
  readonly ada: SimulatedUser;
  readonly calls: Action[] = [];
  /** How long before the planned sleep or delete each warning came, in ms. */
  readonly warnings: number[] = [];
  readonly deleteWarnings: number[] = [];
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
    this.world.onWarning = (_, of, at) => (of === 'sleep' ? this.warnings : this.deleteWarnings).push(at - this.world.timeline.now);
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
    return this.world.pods.actualState('s0');
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
    const { timeline, checker } = this.world;
    for (const end = timeline.now + ms; timeline.now < end; ) {
      timeline.step();
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (checker.violation) throw new Error([checker.violation, ...this.#trace].join('\n'));
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
    stage.world.pods.nextFault = 'late';
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

trace('a wake that is not served until the next deadline: no session is put to sleep on that', async (stage) => {
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

trace('a delete times out, the uuid is adopted again, and it lands then: that is found', async (stage) => {
  stage.during('delete', () => {
    stage.world.pods.nextFault = 'late';
  });
  stage.ada.logout();
  await stage.until('it is said to be deleted', () => stage.record?.pod === 'gone');
  stage.ada.create({ ...POLICY, sleepAfter: null, deleteAfter: null });
  await stage.until('it is adopted again', () => stage.record?.wanted === 'awake');
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

trace('a failover forgets a wake: the session that was pinged is woken all the same', async (stage) => {
  stage.ada.sleep();
  await stage.until('the pod sleeps', () => stage.record?.pod === 'asleep');
  stage.world.failOver(300);
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
  expect(stage.world.checker.checked.repairs).toBeGreaterThan(0);
});

trace('a warning comes before a sleep, once, and at its time', async (stage) => {
  await stage.until('it sleeps', () => stage.record?.pod === 'asleep');
  expect(stage.warnings).toHaveLength(1);
  expect(stage.warnings[0]).toBeLessThanOrEqual(WARNING_MS);
  expect(stage.warnings[0]).toBeGreaterThan(WARNING_MS - SLOW_MS);
});

trace('no warning comes while a user pings again and again; one comes after the last ping', async (stage) => {
  for (let i = 0; i < 8; i++) {
    stage.ada.ping(null);
    await stage.pass(1_000);
  }
  expect(stage.warnings).toEqual([]);
  await stage.until('it sleeps', () => stage.record?.pod === 'asleep');
  expect(stage.warnings).toHaveLength(1);
});

trace('a session pinged after a warning stays awake, and is warned about again before the next sleep', async (stage) => {
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

trace('a delete with a grace: asleep at once, deleted at its end, though the worker is killed there', async (stage) => {
  stage.ada.remove({ grace: 10_000 });
  await stage.until('it sleeps', () => stage.record?.pod === 'asleep');
  const end = stage.record!.graceUntil;
  stage.in(end - stage.world.timeline.now - 5, () => {
    for (const { process } of [...stage.world.workers]) stage.world.kill(process);
    stage.in(2_000, () => stage.world.startWorker());
  });
  await stage.until('it is deleted', () => stage.pod === 'gone');
  expect(stage.world.timeline.now).toBeGreaterThanOrEqual(end);
  expect(stage.calls).toEqual(['sleep', 'delete']);
});

trace('a user who comes back in the last ms of a grace keeps the pod; one ms later it is deleted', async (stage) => {
  stage.ada.logOut(5_000);
  await stage.until('it sleeps', () => stage.record?.pod === 'asleep');
  stage.in(stage.record!.graceUntil - stage.world.timeline.now - 40, () => stage.ada.ping(null));
  await stage.until('she is back', () => stage.record?.pod === 'awake' && stage.record.wanted === 'awake');
  await stage.pass(10_000);
  expect(stage.calls).not.toContain('delete');
});

trace('a kept session survives a logout and its policy, and is deleted once the keep ends', async (stage) => {
  stage.ada.setPolicy({ ...POLICY, sleepAfter: 1_000, deleteAfter: 2_000 });
  await stage.pass(100);
  stage.ada.keep(20_000);
  await stage.until('it is kept', () => stage.record!.keepUntil > 0);
  const end = stage.record!.keepUntil;
  stage.ada.logOut(0);
  await stage.until('it is deleted', () => stage.pod === 'gone');
  expect(stage.world.timeline.now).toBeGreaterThanOrEqual(end);
  expect(stage.calls).toEqual(['sleep', 'delete']);
});

trace('the end of a keep by hand lets the delete that is due happen at once', async (stage) => {
  stage.ada.keep(50_000);
  stage.ada.setPolicy({ ...POLICY, sleepAfter: 500, deleteAfter: 1_000 });
  await stage.until('it sleeps', () => stage.record?.pod === 'asleep');
  await stage.pass(10_000);
  stage.ada.endKeep();
  await stage.until('the keep is over', () => stage.record?.keepUntil === 0);
  await stage.pass(SLOW_MS);
  expect(stage.pod).toBe('gone');
});

trace('a delete is warned of once, though all APIs are away for a while after the warning', async (stage) => {
  stage.ada.setPolicy({ ...POLICY, sleepAfter: 500, deleteAfter: 12_000 });
  stage.world.state.intake = { ...stage.world.state.intake, deleteWarning: 5_000 };
  await stage.until('she is warned', () => stage.deleteWarnings.length === 1);
  expect(stage.deleteWarnings[0]).toBeLessThanOrEqual(5_000);
  expect(stage.deleteWarnings[0]).toBeGreaterThan(5_000 - SLOW_MS);
  stage.world.kill(stage.world.apis[0]!.process);
  stage.in(3_000, () => stage.world.startApi());
  await stage.until('it is deleted', () => stage.pod === 'gone');
  expect(stage.deleteWarnings).toHaveLength(1);
});

trace('no delete is warned of while its user comes back', async (stage) => {
  stage.ada.setPolicy({ ...POLICY, sleepAfter: 500, deleteAfter: 12_000 });
  stage.world.state.intake = { ...stage.world.state.intake, deleteWarning: 5_000 };
  await stage.until('it sleeps', () => stage.record?.pod === 'asleep');
  await stage.pass(6_000);
  stage.ada.ping(null);
  await stage.pass(6_000);
  expect(stage.deleteWarnings).toEqual([]);
});

trace('a caller waits in virtual time: until the pod is awake, or for its time-out', async (stage) => {
  const { timeline, apis } = stage.world;
  const wait = async (timeout: number) => {
    const from = timeline.now;
    let ended: { readonly pod: string | null; readonly ms: number } | null = null;
    apis[0]!.service.untilAwake('s0', { timeout }).then((reading) => {
      ended = { pod: reading?.record.pod ?? null, ms: timeline.now - from };
    });
    await stage.until('the wait ends', () => ended !== null);
    return ended!;
  };
  stage.ada.sleep();
  await stage.until('the pod sleeps', () => stage.record?.pod === 'asleep');
  expect(await wait(1_500)).toEqual({ pod: null, ms: 1_500 });
  stage.ada.ping(null);
  await stage.until('its wake is asked for', () => stage.record?.wanted === 'awake');
  expect(await wait(30_000)).toMatchObject({ pod: 'awake' });
  expect(stage.calls).toEqual(['sleep', 'wake']);
});
