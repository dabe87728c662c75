import { setTimeout as pause } from 'node:timers/promises';
import { describePromises } from './promise-tests.ts';

describePromises({
  name: 'redis',
  apis: 2,
  workers: 3,
  onlySessionManagerFails: false,
  async injectFaults(world, random) {
    const killed = (ms: number) =>
      world.fault('redis killed', async () => {
        await world.killRedis();
        await pause(ms);
        await world.redis.restart();
      });
    const proxied = (kind: string, ms: number, begin: () => unknown) =>
      world.fault(kind, async () => {
        await begin();
        await pause(ms);
        await world.redisProxy.normal();
      });

    await killed(random.between(0, 300));
    await pause(random.between(500, 1_500));
    await killed(random.between(1_000, 2_500));
    await pause(random.between(500, 1_500));

    for (let cut = 0; cut < 5; cut++) {
      await proxied('connections to redis cut', random.between(50, 400), () => world.redisProxy.cut());
    }
    await proxied('redis refused', 1_500, () => {
      world.redisProxy.cut();
      return world.redisProxy.refuse();
    });
    await proxied('redis slow', 3_000, () => world.redisProxy.delay({ to: 150, from: 250 }));
    await proxied('redis in a blackhole', 3_000, () => world.redisProxy.blackhole());
    await pause(random.between(500, 1_500));

    await world.fault('redis stopped', async () => {
      process.kill(world.redis.pid(), 'SIGSTOP');
      await pause(random.between(1_500, 3_000));
      process.kill(world.redis.pid(), 'SIGCONT');
    });
    await pause(random.between(500, 1_500));

    // A worker dies while Redis is down, and with it all that it wanted to write.
    await world.fault('redis and a worker killed', async () => {
      await world.killRedis();
      await world.killWorker(random.pick(world.workers));
      await Promise.all([world.redis.restart(), world.addWorker()]);
    });
    await pause(random.between(500, 1_500));

    await world.fault('redis away', () =>
      world.outage(
        'redis',
        6_500,
        () => world.killRedis(),
        () => world.redis.restart(),
      ),
    );
  },
  atLeast: {
    1: { 'idle sleeps decided': 25, 'decisions after a hold': 10, 'sleeps sent': 25, 'deletes sent': 15, refused: 5 },
    2: { 'asleep in time': 10, 'deleted in time': 2, 'asleep after a fault': 2, 'deleted after a fault': 25, 'awake at the end': 2 },
    3: { 'woken at once': 5, 'woken after a fault': 10, 'came to a pod that was awake again': 50 },
    4: { 'calls one after the other': 100, 'begun while no other was': 100 },
    5: { 'redis kills': 4, 'worker kills': 1, 'acknowledged shortly before a kill': 25, 'holds kept': 5, 'logouts kept': 5 },
    7: { 'outages of redis': 1, 'active when redis went': 10, 'decided after an outage': 5 },
  },
});
