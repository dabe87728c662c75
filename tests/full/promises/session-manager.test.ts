import { setTimeout as pause } from 'node:timers/promises';
import { describePromises } from './promise-tests.ts';
import { RETRY_AFTER_MS } from './run.ts';

describePromises({
  name: 'session-manager',
  apis: 2,
  workers: 3,
  onlySessionManagerFails: true,
  async injectFaults(world, random) {
    /** Applies a fault to all calls, or to one of `every`, for `ms`. */
    const struck = (kind: string, ms: number, rule: { fault: object; every?: number; call?: string }) =>
      world.fault(kind, async () => {
        await world.sim('POST', '/sim/faults', rule);
        await pause(ms);
        await world.sim('DELETE', '/sim/faults');
      });
    const proxied = (kind: string, ms: number, begin: () => unknown) =>
      world.fault(kind, async () => {
        await begin();
        await pause(ms);
        await world.simProxy.normal();
      });
    const breathe = () => pause(random.between(500, 1_500));

    await struck('answers 500', 4_000, { fault: { status: 500 }, every: 2 });
    await struck('answers 429', 4_000, { fault: { status: 429, retryAfter: `${RETRY_AFTER_MS / 1_000}` }, every: 2 });
    await breathe();
    await struck('cuts before acting', 3_000, { fault: { cut: 'before' }, every: 2 });
    await struck('cuts after acting', 4_000, { fault: { cut: 'after' }, every: 2 });
    await breathe();
    await struck('sleeps land late', 4_000, { call: 'sleep', every: 2, fault: { hang: true, lateMs: 2_500 } });
    await struck('wakes land late', 3_000, { call: 'wake', every: 2, fault: { hang: true, lateMs: 3_500 } });
    await breathe();
    await struck('hangs', 4_000, { fault: { hang: true }, every: 2 });
    await struck('slow', 4_000, { fault: { delayMs: 900, afterMs: 900 } });
    await breathe();
    await proxied('connections cut', 200, () => world.simProxy.cut());
    await proxied('network slow', 3_000, () => world.simProxy.delay({ to: 200, from: 300 }));
    await proxied('blackhole', 3_000, () => world.simProxy.blackhole());
    await breathe();
    await proxied('down', 4_000, () => {
      world.simProxy.cut();
      return world.simProxy.refuse();
    });
    await struck('serves nobody', 4_000, { fault: { status: 503 } });
  },
  atLeast: {
    1: { 'idle sleeps decided': 50, 'decisions after a hold': 10, 'sleeps sent': 50, 'deletes sent': 25, refused: 5 },
    2: { 'asleep in time': 10, 'deleted in time': 2, 'asleep after a fault': 2, 'deleted after a fault': 25 },
    3: { 'woken at once': 5, 'woken after a fault': 25, 'came to a pod that was awake again': 50 },
    4: { 'calls one after the other': 200, 'begun while no other was': 200 },
    5: { 'holds kept': 5, 'logouts kept': 5 },
    6: {
      'landed late': 5,
      'cut after acting': 5,
      'lost without acting': 5,
      'answered 429': 5,
      'answered 5xx': 10,
      'Retry-After kept to': 3,
      'users answered': 500,
    },
  },
});
