import type { Outcome } from '@sandman/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { CircuitBreaker, type Trouble } from './circuit-breaker.ts';
import { settlePromises, VirtualTime } from './lifecycle.fixture.ts';

const DONE: Outcome = { kind: 'done' };
const GONE: Outcome = { kind: 'gone' };
const FAILED: Outcome = { kind: 'transient', sent: true, error: 'HTTP 500' };

let time: VirtualTime;
let circuit: CircuitBreaker;
let said: (Trouble | null)[];
/** What probes return, and which sessions each probe was to leave out. */
let answers: boolean;
let probes: string[][];

beforeEach(() => {
  time = new VirtualTime();
  said = [];
  answers = false;
  probes = [];
  circuit = new CircuitBreaker({
    system: time,
    async probe(failing) {
      probes.push(['s0', 's1', 'late0', 'well'].filter((uuid) => failing.has(uuid)));
      return answers;
    },
    changed: (trouble) => said.push(trouble),
  });
});

/** Records this outcome for `count` different sessions, one after the other. */
function each(count: number, outcome: Outcome, name = 's'): Outcome[] {
  return Array.from({ length: count }, (_, i) => circuit.recordAndCorrect(`${name}${i}`, outcome));
}

/** Opens the circuit: the calls of five sessions fail, and the probe is not answered. */
async function open(): Promise<void> {
  each(5, FAILED);
  await settlePromises();
  expect(circuit.isOpen).toBe(true);
}

describe('a closed circuit', () => {
  it('opens when calls for five different sessions fail and no other session is answered for, and says so once', async () => {
    each(4, FAILED);
    await settlePromises();
    expect(probes).toEqual([]);
    circuit.recordAndCorrect('another', FAILED);
    expect([circuit.wait('sleep', 's0'), circuit.enter('sleep', 's0')]).toEqual([0, true]);
    await settlePromises();
    expect(probes).toEqual([['s0', 's1']]);
    expect(circuit.isOpen).toBe(true);
    each(9, FAILED, 'late');
    await settlePromises();
    expect(said).toEqual(['failing']);
    expect(probes).toHaveLength(1);
  });

  it('stays closed when another session is answered for: what fails are those sessions alone', async () => {
    answers = true;
    for (let i = 0; i < 10; i++) {
      each(5, FAILED, `dead${i}-`);
      await settlePromises();
    }
    expect(probes).toHaveLength(10);
    expect([circuit.isOpen, circuit.wait('wake', 'alive')]).toEqual([false, 0]);
    expect(said).toEqual([]);
  });

  it('stays closed when a call goes well while others are asked for', async () => {
    each(5, FAILED);
    circuit.recordAndCorrect('well', DONE);
    await settlePromises();
    expect(circuit.isOpen).toBe(false);
  });

  it.each([FAILED, { kind: 'unknown', error: 'timed out' }, { kind: 'permanent', error: 'HTTP 400' }] as const)(
    'counts whatever did not go well, and hands it on as it is: $kind',
    async (outcome) => {
      expect(each(6, outcome)).toEqual(Array(6).fill(outcome));
      await settlePromises();
      expect(circuit.isOpen).toBe(true);
    },
  );

  it('sends no probe for one session that fails fifty times', async () => {
    for (let i = 0; i < 50; i++) circuit.recordAndCorrect('broken', FAILED);
    await settlePromises();
    expect(probes).toEqual([]);
  });

  it('counts anew after a call that went well', async () => {
    each(4, FAILED);
    each(4, GONE);
    circuit.recordAndCorrect('well', DONE);
    each(4, FAILED, 'other');
    expect(each(4, GONE, 'other')).toEqual(Array(4).fill(GONE));
    await settlePromises();
    expect(probes).toEqual([]);
    expect(said).toEqual([]);
  });

  it('counts no failure that is more than a minute old', async () => {
    each(4, FAILED);
    await time.pass(60_001);
    circuit.recordAndCorrect('a minute later', FAILED);
    await settlePromises();
    expect(circuit.isOpen).toBe(false);
    each(3, FAILED, 'soon after');
    await time.pass(60_000);
    circuit.recordAndCorrect('just in time', FAILED);
    await settlePromises();
    expect(circuit.isOpen).toBe(true);
  });
});

describe('an open circuit', () => {
  it('asks again after 1 s, 2 s, 4 s and then every 5 s, and closes with the first answer', async () => {
    await open();
    const asked: number[] = [];
    for (let ms = 0; ms < 17_000; ms += 500) {
      const before = probes.length;
      await time.pass(500);
      if (probes.length > before) asked.push(time.elapsed());
    }
    expect(asked).toEqual([1_000, 3_000, 7_000, 12_000, 17_000]);
    answers = true;
    await time.pass(4_999);
    expect(said).toEqual(['failing']);
    await time.pass(1);
    expect([circuit.isOpen, circuit.wait('wake', 'alive'), circuit.enter('wake', 'alive')]).toEqual([false, 0, true]);
    expect(said).toEqual(['failing', null]);
    await time.pass(60_000);
    expect(probes).toHaveLength(7);
  });

  it('asks though the probe before it hangs', async () => {
    let asked = 0;
    const hanging = new CircuitBreaker({
      system: time,
      // The first probe opens the circuit. The others hang.
      probe: () => (++asked === 1 ? Promise.resolve(false) : new Promise(() => {})),
      changed: () => {},
    });
    for (let i = 0; i < 5; i++) hanging.recordAndCorrect(`s${i}`, FAILED);
    await time.pass(8_000);
    expect(asked).toBe(4);
  });

  it('lets one call try after each probe: of a session that fails itself, or one that is no wake', async () => {
    await open();
    expect([circuit.enter('sleep', 'alive'), circuit.enter('wake', 's0')]).toEqual([false, false]);
    await time.pass(1_000);
    expect([circuit.wait('wake', 'alive') > 0, circuit.enter('wake', 'alive')]).toEqual([true, false]);
    expect([circuit.wait('wake', 's0'), circuit.enter('wake', 's0'), circuit.enter('wake', 's1')]).toEqual([0, true, false]);
    await time.pass(2_000);
    expect([circuit.wait('sleep', 'alive'), circuit.enter('sleep', 'alive'), circuit.enter('sleep', 'alive')]).toEqual([0, true, false]);
  });

  it('lets any wake try after a minute: a session-manager that answers no status must not lock users out', async () => {
    await open();
    await time.pass(59_000);
    expect(circuit.enter('wake', 'alive')).toBe(false);
    await time.pass(7_000);
    expect(circuit.enter('wake', 'alive')).toBe(true);
  });

  it('closes when a call goes well, says so, and starts from 1 s the next time', async () => {
    await open();
    await time.pass(3_000);
    circuit.recordAndCorrect('s0', DONE);
    expect([circuit.isOpen, circuit.wait('sleep', 'a'), circuit.enter('sleep', 'a'), circuit.enter('sleep', 'b')]).toEqual([
      false,
      0,
      true,
      true,
    ]);
    circuit.recordAndCorrect('s1', DONE);
    expect(said).toEqual(['failing', null]);
    each(5, FAILED);
    await settlePromises();
    expect(circuit.wait('wake', 'alive')).toBe(1_000);
    expect(said).toEqual(['failing', null, 'failing']);
  });

  it('spreads the waiting calls, wakes over 0.2 s and the rest over 5 s', async () => {
    await open();
    const waits = [0, 0.5, 1].map((nextRandom) => {
      time.nextRandom = nextRandom;
      return (['wake', 'sleep', 'delete', 'status'] as const).map((action) => circuit.wait(action, 'a'));
    });
    expect(waits).toEqual([
      [1_000, 1_000, 1_000, 1_000],
      [1_100, 3_500, 3_500, 3_500],
      [1_200, 6_000, 6_000, 6_000],
    ]);
  });
});

describe('sessions that the session-manager does not know', () => {
  it('are taken as gone, up to the fourth; from the fifth on that is a failure, reported once, and delays no call', () => {
    expect(each(4, GONE)).toEqual(Array(4).fill(GONE));
    expect(said).toEqual([]);
    for (const outcome of each(3, GONE, 'further')) expect(outcome).toMatchObject({ kind: 'transient', sent: true });
    expect(said).toEqual(['not-found']);
    expect([circuit.isOpen, circuit.wait('wake', 'a'), circuit.wait('sleep', 'a'), circuit.enter('wake', 'a')]).toEqual([
      false,
      0,
      0,
      true,
    ]);
  });

  it('are taken as gone again after a call that went well', () => {
    each(5, GONE);
    circuit.recordAndCorrect('well', DONE);
    expect(said).toEqual(['not-found', null]);
    expect(each(4, GONE)).toEqual(Array(4).fill(GONE));
  });

  it('are counted apart from those that fail', () => {
    each(4, FAILED);
    expect(each(4, GONE)).toEqual(Array(4).fill(GONE));
    expect(circuit.isOpen).toBe(false);
  });

  it('are not taken as gone until a call goes well, however long the address is wrong', async () => {
    each(5, GONE);
    for (let i = 0; i < 100; i++) {
      await time.pass(15_000);
      expect(circuit.recordAndCorrect('s4', GONE).kind).toBe('transient');
    }
  });
});
