import type { AlarmClock, Beat } from '@sandman/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { startHeartbeat } from './heartbeat.ts';
import { Rounds, settled, storeThat, T0, VirtualTime } from './lifecycle.fixture.ts';

const WELL: Beat = { now: T0, gap: 0, rewound: false };

let time: VirtualTime;
let open: boolean;
/** What each shard answers to its heartbeats, one after the other; after the last one it answers that all is well. */
let answers: (Beat | Error)[][];
let beats: string[];
let told: unknown[];

beforeEach(() => {
  time = new VirtualTime();
  open = true;
  answers = [[], []];
  beats = [];
  told = [];
});

async function beat(shard: number, isOpen: boolean): Promise<Beat> {
  beats.push(`${shard} ${isOpen ? 'open' : 'closed'}`);
  const answer = answers[shard]!.shift() ?? WELL;
  if (answer instanceof Error) throw answer;
  return answer;
}

function start(beating = beat): () => Promise<void> {
  return startHeartbeat({
    store: storeThat({ shards: 2, beat: beating }),
    surroundings: time,
    every: 100,
    open: () => open,
    gap: (shard, ms) => told.push(`gap of ${ms} in ${shard}`),
    rewound: (shard) => told.push(`${shard} rewound`),
    failed: (error) => told.push(error),
  });
}

it('beats in every shard, and says each time whether pings are taken just then', async () => {
  const stop = start();
  open = false;
  await time.pass(100);
  expect(beats).toEqual(['0 open', '1 open', '0 closed', '1 closed']);
  expect(told).toEqual([]);
  await stop();
});

it('tells of a gap and of older data, and of the shard where they were found', async () => {
  answers = [[{ now: T0, gap: 2_500, rewound: false }], [WELL, { now: T0, gap: 3_000, rewound: true }]];
  const stop = start();
  await settled();
  expect(told).toEqual(['gap of 2500 in 0']);
  await time.pass(200);
  expect(told).toEqual(['gap of 2500 in 0', 'gap of 3000 in 1', '1 rewound']);
  await stop();
});

it('a beat that fails is reported; the next one comes all the same, and the other shard is none the worse', async () => {
  const error = new Error('Redis is away');
  answers = [[error], []];
  const stop = start();
  await time.pass(100);
  expect(told).toEqual([error]);
  expect(beats).toEqual(['0 open', '1 open', '0 open', '1 open']);
  await stop();
});

it('a shard that hangs is beaten once, while the other one goes on, and its end waits for it', async () => {
  const hanging = new Rounds();
  const stop = start(async (shard, isOpen) => {
    const found = await beat(shard, isOpen);
    if (shard === 0) await hanging.begin();
    return found;
  });
  await time.pass(300);
  expect(beats).toEqual(['0 open', '1 open', '1 open', '1 open', '1 open']);
  let stopped = false;
  const stopping = stop().then(() => {
    stopped = true;
  });
  await settled();
  expect(stopped).toBe(false);
  await hanging.end();
  await stopping;
  await time.pass(300);
  expect(beats).toHaveLength(5);
});

describe('where alarms are due', () => {
  /** Returns the times of the heartbeats, in ms, with these alarms set. Each alarm rings 10 ms before it is due. */
  async function beatsFor(dues: readonly number[], pass: number, due?: AlarmClock['due']): Promise<number[]> {
    const at: number[] = [];
    const stop = startHeartbeat({
      store: storeThat({
        beat: async () => {
          at.push(time.elapsed());
          return { ...WELL, now: T0 + time.elapsed() };
        },
      }),
      surroundings: time,
      every: 100,
      clock: { due: due ?? (async () => dues.map((ms) => T0 + ms).find((ms) => ms - 10 > T0 + time.elapsed()) ?? null) },
      open: () => true,
      gap: () => {},
      rewound: () => {},
      failed: (error) => told.push(error),
    });
    await time.pass(pass);
    await stop();
    return at;
  }

  it('a beat comes right after each, also after those that have rung before it was seen', async () => {
    // The alarm of 205 has rung before the heartbeat at 200, and that of 458 before the heartbeat after 450.
    const dues = [40, 55, 205, 450, 458];
    const beats = await beatsFor(dues, 600);
    for (const due of dues) {
      const next = beats.find((ms) => ms >= due)!;
      expect(next - due, `after ${due} of ${beats}`).toBeLessThanOrEqual(6);
    }
    // Between the alarms, heartbeats come every 100 ms.
    expect(beats.filter((ms) => ms > 240 && ms < 440)).toEqual([300, 400]);
  });

  it('what has been due for long waits for a worker, and makes no beat', async () => {
    expect(await beatsFor([], 350, async () => T0 - 1_000)).toEqual([0, 100, 200, 300]);
  });

  it('a beat counts though nobody can tell when the next alarm is due', async () => {
    const away = async () => {
      throw new Error('Redis is away');
    };
    expect(await beatsFor([], 250, away)).toEqual([0, 100, 200]);
    expect(told).toEqual([]);
  });
});
