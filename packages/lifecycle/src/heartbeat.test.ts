import type { AlarmClock, Heartbeat } from '@sandman/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { startHeartbeat } from './heartbeat.ts';
import { ManualRounds, settlePromises, stubStore, T0, VirtualTime } from './lifecycle.fixture.ts';

const WELL: Heartbeat = { now: T0, gap: 0, rewound: false };

let time: VirtualTime;
let open: boolean;
/** What each shard answers to its heartbeats, one after the other; after the last one it answers that all is well. */
let answers: (Heartbeat | Error)[][];
let sent: string[];
let reported: unknown[];

beforeEach(() => {
  time = new VirtualTime();
  open = true;
  answers = [[], []];
  sent = [];
  reported = [];
});

async function heartbeat(shard: number, isOpen: boolean): Promise<Heartbeat> {
  sent.push(`${shard} ${isOpen ? 'open' : 'closed'}`);
  const answer = answers[shard]!.shift() ?? WELL;
  if (answer instanceof Error) throw answer;
  return answer;
}

function start(answer = heartbeat): () => Promise<void> {
  return startHeartbeat({
    store: stubStore({ shards: 2, heartbeat: answer }),
    system: time,
    every: 100,
    open: () => open,
    gap: (shard, ms) => reported.push(`gap of ${ms} in ${shard}`),
    rewound: (shard) => reported.push(`${shard} rewound`),
    failed: (error) => reported.push(error),
  });
}

it('each shard gets a heartbeat, which says whether the process takes pings', async () => {
  const stop = start();
  open = false;
  await time.pass(100);
  expect(sent).toEqual(['0 open', '1 open', '0 closed', '1 closed']);
  expect(reported).toEqual([]);
  await stop();
});

it('a gap and older data are reported, with the shard where they were found', async () => {
  answers = [[{ now: T0, gap: 2_500, rewound: false }], [WELL, { now: T0, gap: 3_000, rewound: true }]];
  const stop = start();
  await settlePromises();
  expect(reported).toEqual(['gap of 2500 in 0']);
  await time.pass(200);
  expect(reported).toEqual(['gap of 2500 in 0', 'gap of 3000 in 1', '1 rewound']);
  await stop();
});

it('a heartbeat that fails is reported; the next one follows, and the other shard is not affected', async () => {
  const error = new Error('Redis is away');
  answers = [[error], []];
  const stop = start();
  await time.pass(100);
  expect(reported).toEqual([error]);
  expect(sent).toEqual(['0 open', '1 open', '0 open', '1 open']);
  await stop();
});

it('a shard that hangs gets one heartbeat while the other one goes on, and the end waits for it', async () => {
  const hanging = new ManualRounds();
  const stop = start(async (shard, isOpen) => {
    const found = await heartbeat(shard, isOpen);
    if (shard === 0) await hanging.begin();
    return found;
  });
  await time.pass(300);
  expect(sent).toEqual(['0 open', '1 open', '1 open', '1 open', '1 open']);
  let stopped = false;
  const stopping = stop().then(() => {
    stopped = true;
  });
  await settlePromises();
  expect(stopped).toBe(false);
  await hanging.end();
  await stopping;
  await time.pass(300);
  expect(sent).toHaveLength(5);
});

describe('where alarms are due', () => {
  /** Returns the times of the heartbeats, in ms, with these alarms set. Each alarm rings 10 ms before it is due. */
  async function heartbeatTimes(dues: readonly number[], pass: number, due?: AlarmClock['due']): Promise<number[]> {
    const at: number[] = [];
    const stop = startHeartbeat({
      store: stubStore({
        heartbeat: async () => {
          at.push(time.elapsed());
          return { ...WELL, now: T0 + time.elapsed() };
        },
      }),
      system: time,
      every: 100,
      clock: { due: due ?? (async () => dues.map((ms) => T0 + ms).find((ms) => ms - 10 > T0 + time.elapsed()) ?? null) },
      open: () => true,
      gap: () => {},
      rewound: () => {},
      failed: (error) => reported.push(error),
    });
    await time.pass(pass);
    await stop();
    return at;
  }

  it('a heartbeat comes right after each, also after those that rang before they were seen', async () => {
    // The alarm of 205 has rung before the heartbeat at 200, and that of 458 before the heartbeat after 450.
    const dues = [40, 55, 205, 450, 458];
    const times = await heartbeatTimes(dues, 600);
    for (const due of dues) {
      const next = times.find((ms) => ms >= due)!;
      expect(next - due, `after ${due} of ${times}`).toBeLessThanOrEqual(6);
    }
    // Between the alarms, heartbeats come every 100 ms.
    expect(times.filter((ms) => ms > 240 && ms < 440)).toEqual([300, 400]);
  });

  it('an alarm that has been due for long waits for a worker, and causes no heartbeat', async () => {
    expect(await heartbeatTimes([], 350, async () => T0 - 1_000)).toEqual([0, 100, 200, 300]);
  });

  it('a heartbeat counts though the time of the next alarm cannot be read', async () => {
    const away = async () => {
      throw new Error('Redis is away');
    };
    expect(await heartbeatTimes([], 250, away)).toEqual([0, 100, 200]);
    expect(reported).toEqual([]);
  });
});
