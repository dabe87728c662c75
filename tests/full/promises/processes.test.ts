import { setTimeout as pause } from 'node:timers/promises';
import type { AppProcess } from '@sandman/sandbox';
import { describePromises } from './promise-tests.ts';

describePromises({
  name: 'processes',
  apis: 3,
  workers: 3,
  onlySessionManagerFails: false,
  async injectFaults(world, random) {
    const breathe = () => pause(random.between(500, 1_500));
    /** Delays the answers to commits, so that a worker holds a lock and has not sent its call yet, and then calls `strike`. */
    const amidCalls = async (reply: number, strike: (worker: AppProcess) => Promise<unknown>) => {
      world.redisProxy.delay({ from: reply });
      await world.untilCallsBegin(2, reply);
      await strike(random.pick(world.workers));
    };
    const stopped = (ms: number) =>
      world.fault('worker stopped', async () => {
        const reply = 300;
        await amidCalls(reply, async (worker) => {
          const from = Date.now();
          worker.kill('SIGSTOP');
          await world.redisProxy.normal();
          await pause(ms);
          const to = Date.now();
          worker.kill('SIGCONT');
          world.stopped.push({ from, to, reply });
        });
      });

    for (let kill = 0; kill < 4; kill++) {
      await world.fault('worker killed', async () => {
        await amidCalls(random.between(0, 300), (worker) => world.killWorker(worker));
        await world.redisProxy.normal();
        await world.addWorker();
      });
    }
    await breathe();
    // The worker's calls hang when it dies, so their effect is in doubt.
    await world.fault('worker killed amid a call', async () => {
      await world.sim('POST', '/sim/faults', { fault: { hang: true, lateMs: 1_500 }, every: 2 });
      await pause(1_000);
      await world.killWorker(random.pick(world.workers));
      await world.sim('DELETE', '/sim/faults');
      await world.addWorker();
    });
    await breathe();
    await stopped(random.between(1_200, 2_500));
    await stopped(random.between(9_000, 10_000));
    await breathe();
    for (let kill = 0; kill < 3; kill++) {
      await world.fault('api killed', async () => {
        await world.killApi(random.pick(world.apis));
        await world.addApi();
      });
    }
    await world.fault('all workers killed', async () => {
      await Promise.all([...world.workers].map((worker) => world.killWorker(worker)));
      await pause(random.between(500, 1_500));
      await Promise.all([world.addWorker(), world.addWorker(), world.addWorker()]);
    });
    await breathe();
    await world.fault('apis away', () =>
      world.outage(
        'apis',
        6_500,
        () => Promise.all([...world.apis].map((api) => world.killApi(api))),
        () => Promise.all([world.addApi(), world.addApi(), world.addApi()]),
      ),
    );
  },
  atLeast: {
    1: { 'idle sleeps decided': 25, 'decisions after a hold': 10, 'sleeps sent': 25, 'deletes sent': 15, refused: 5 },
    2: { 'asleep in time': 10, 'deleted in time': 2, 'asleep after a fault': 2, 'deleted after a fault': 25 },
    3: { 'woken at once': 5, 'woken after a fault': 5, 'came to a pod that was awake again': 50 },
    4: { 'calls one after the other': 100, 'begun while no other was': 100, 'takeovers verified': 1 },
    5: { 'worker kills': 8, 'api kills': 6, 'acknowledged shortly before a kill': 50, 'holds kept': 5, 'logouts kept': 5 },
    7: { 'outages of apis': 1, 'active when apis went': 10, 'decided after an outage': 5 },
  },
});
