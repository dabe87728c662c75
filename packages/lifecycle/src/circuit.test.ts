import type { Outcome } from '@sandman/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { Circuit, type Trouble } from './circuit.ts';
import { VirtualTime } from './lifecycle.fixture.ts';

const DONE: Outcome = { kind: 'done' };
const GONE: Outcome = { kind: 'gone' };
const FAILED: Outcome = { kind: 'transient', sent: true, error: 'HTTP 500' };

let time: VirtualTime;
let circuit: Circuit;
let said: (Trouble | null)[];

beforeEach(() => {
  time = new VirtualTime();
  said = [];
  circuit = new Circuit(time, (trouble) => said.push(trouble));
});

/** Calls for so many different sessions end like this, one after the other. */
function each(count: number, outcome: Outcome, name = 's'): Outcome[] {
  return Array.from({ length: count }, (_, i) => circuit.judge(`${name}${i}`, outcome));
}

/** Lets time pass until a call may try, and no ms longer; answers how long that was. */
async function untilNextTry(): Promise<number> {
  const wait = circuit.wait('wake');
  if (wait > 0) await time.pass(wait - 1);
  expect(circuit.enter()).toBe(false);
  await time.pass(1);
  return wait;
}

describe('a circuit', () => {
  it('opens when calls for five different sessions fail, and says so once', () => {
    each(4, FAILED);
    expect(circuit.isOpen).toBe(false);
    expect([circuit.wait('sleep'), circuit.enter()]).toEqual([0, true]);
    circuit.judge('another', FAILED);
    expect(circuit.isOpen).toBe(true);
    each(9, FAILED, 'late');
    expect(said).toEqual(['failing']);
  });

  it.each([FAILED, { kind: 'unknown', error: 'timed out' }, { kind: 'permanent', error: 'HTTP 400' }] as const)(
    'counts whatever did not go well, and hands it on as it is: $kind',
    (outcome) => {
      expect(each(6, outcome)).toEqual(Array(6).fill(outcome));
      expect(circuit.isOpen).toBe(true);
    },
  );

  it('stays closed for one session that fails fifty times', () => {
    for (let i = 0; i < 50; i++) circuit.judge('broken', FAILED);
    expect(circuit.isOpen).toBe(false);
  });

  it('counts anew after a call that went well', () => {
    each(4, FAILED);
    each(4, GONE);
    circuit.judge('well', DONE);
    each(4, FAILED, 'other');
    expect(each(4, GONE, 'other')).toEqual(Array(4).fill(GONE));
    expect(circuit.isOpen).toBe(false);
    expect(said).toEqual([]);
  });

  it('counts no failure that is more than a minute old', async () => {
    each(4, FAILED);
    await time.pass(60_001);
    circuit.judge('a minute later', FAILED);
    expect(circuit.isOpen).toBe(false);
    each(3, FAILED, 'soon after');
    await time.pass(60_000);
    circuit.judge('just in time', FAILED);
    expect(circuit.isOpen).toBe(true);
  });
});

describe('an open circuit', () => {
  it('lets one call at a time try, after 1 s, 2 s and so on up to 10 s', async () => {
    each(5, FAILED);
    const waits: number[] = [];
    for (let i = 0; i < 6; i++) {
      waits.push(await untilNextTry());
      expect([circuit.wait('wake'), circuit.enter(), circuit.enter()]).toEqual([0, true, false]);
      circuit.judge('s0', FAILED);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  });

  it('closes when a call goes well, says so, and starts from 1 s the next time', async () => {
    each(5, FAILED);
    for (let i = 0; i < 2; i++) {
      await untilNextTry();
      circuit.enter();
    }
    circuit.judge('s0', DONE);
    expect([circuit.isOpen, circuit.wait('sleep'), circuit.enter(), circuit.enter()]).toEqual([false, 0, true, true]);
    circuit.judge('s1', DONE);
    expect(said).toEqual(['failing', null]);
    each(5, FAILED);
    expect(circuit.wait('wake')).toBe(1_000);
    expect(said).toEqual(['failing', null, 'failing']);
  });

  it('spreads what waits, wakes over 0.2 s and the rest over 5 s', () => {
    each(5, FAILED);
    const waits = [0, 0.5, 1].map((luck) => {
      time.luck = luck;
      return [circuit.wait('wake'), circuit.wait('sleep'), circuit.wait('delete'), circuit.wait('status')];
    });
    expect(waits).toEqual([
      [1_000, 1_000, 1_000, 1_000],
      [1_100, 3_500, 3_500, 3_500],
      [1_200, 6_000, 6_000, 6_000],
    ]);
  });
});

describe('sessions that the session-manager does not know', () => {
  it('are so, up to the fourth; from the fifth on that is a failure, said once, and holds up no call', () => {
    expect(each(4, GONE)).toEqual(Array(4).fill(GONE));
    expect(said).toEqual([]);
    for (const outcome of each(3, GONE, 'further')) expect(outcome).toMatchObject({ kind: 'transient', sent: true });
    expect(said).toEqual(['not-found']);
    expect([circuit.isOpen, circuit.wait('wake'), circuit.wait('sleep'), circuit.enter(), circuit.enter()]).toEqual([
      false,
      0,
      0,
      true,
      true,
    ]);
  });

  it('are believed again after a call that went well', () => {
    each(5, GONE);
    circuit.judge('well', DONE);
    expect(said).toEqual(['not-found', null]);
    expect(each(4, GONE)).toEqual(Array(4).fill(GONE));
  });

  it('are counted apart from those that fail', () => {
    each(4, FAILED);
    expect(each(4, GONE)).toEqual(Array(4).fill(GONE));
    expect(circuit.isOpen).toBe(false);
  });

  it('are not believed until a call goes well, however long the address is wrong', async () => {
    each(5, GONE);
    for (let i = 0; i < 100; i++) {
      await time.pass(15_000);
      expect(circuit.judge('s4', GONE).kind).toBe('transient');
    }
  });
});
