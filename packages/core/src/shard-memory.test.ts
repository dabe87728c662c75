import { beforeEach, describe, expect, it } from 'vitest';
import { example, T0 } from './example.fixture.ts';
import { ShardMemory } from './shard-memory.ts';

const NOTHING = { uuid: '', rev: 0, n: 0 };

let elapsed: number;
let memory: ShardMemory;

beforeEach(() => {
  elapsed = 500;
  memory = new ShardMemory(() => elapsed);
});

describe('the last acknowledged write', () => {
  it('is nothing before the first one, and after it was found lost', () => {
    expect(memory.witness).toEqual(NOTHING);
    memory.wrote(example());
    memory.forget();
    expect(memory.witness).toEqual(NOTHING);
    memory.wrote(example({ rev: 8 }));
    expect(memory.witness).toMatchObject({ rev: 8 });
  });

  it('is the newest one, whichever session it is of', () => {
    memory.wrote(example({ uuid: 'a', rev: 9, n: 50 }));
    memory.wrote(example({ uuid: 'b', rev: 2, n: 40 }));
    expect(memory.witness).toMatchObject({ uuid: 'b', rev: 2, n: 40 });
  });

  it('is kept in mind for a minute, counted from the newest', () => {
    memory.wrote(example());
    elapsed += 30_000;
    memory.wrote(example({ rev: 8 }));
    elapsed += 59_999;
    expect(memory.witness).toMatchObject({ rev: 8 });
    elapsed += 1;
    expect(memory.witness).toEqual(NOTHING);
  });
});

describe('the shard’s clock', () => {
  it('is 0 before the first answer, and goes on from there', () => {
    expect(memory.now).toBe(0);
    memory.sawClock(T0);
    expect(memory.now).toBe(T0);
    elapsed += 1_234;
    expect(memory.now).toBe(T0 + 1_234);
  });

  it('is never ahead of itself by a part of a ms, and follows where it was set back', () => {
    memory.sawClock(T0);
    elapsed += 0.9;
    expect(memory.now).toBe(T0);
    memory.sawClock(T0 - 60_000);
    elapsed += 5;
    expect(memory.now).toBe(T0 - 59_995);
  });
});
