import { expect, it } from 'vitest';
import { pageStream } from './page-stream.ts';

/** Reads a stream until it has sent `count` events. */
async function framesOf(stream: AsyncGenerator<string>, count: number): Promise<string[]> {
  const events: string[] = [];
  for await (const text of stream) {
    events.push(...[...text.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(([, event, data]) => `${event} ${data}`));
    if (events.length >= count) break;
  }
  return events;
}

it('sends each part at first, and again only when it has changed', async () => {
  let reads = 0;
  const end = new AbortController();
  const picture = { still: async () => 'same', moving: async () => reads++ };
  expect(
    await framesOf(
      pageStream(picture, end.signal, () => {}),
      4,
    ),
  ).toEqual(['still "same"', 'moving 0', 'moving 1', 'moving 2']);
  end.abort();
});

it('a slow part does not delay the parts before it', async () => {
  const end = new AbortController();
  const picture = { quick: async () => 1, never: () => new Promise(() => {}) };
  expect(
    await framesOf(
      pageStream(picture, end.signal, () => {}),
      1,
    ),
  ).toEqual(['quick 1']);
  end.abort();
});

it('a part that fails is a trouble, whichever of them fails first, and is sent again when it is back', async () => {
  let failing = true;
  const end = new AbortController();
  const late = () => new Promise((resolve) => setTimeout(resolve, 20, 'late'));
  const fails = async () => {
    if (failing) throw new Error('Connection is closed.');
    return 'back';
  };
  const stream = pageStream({ late, fails }, end.signal, () => {});
  const events = await (async () => {
    const all: string[] = [];
    for await (const text of stream) {
      if (text.includes('event: trouble')) failing = false;
      all.push(...[...text.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(([, event, data]) => `${event} ${data}`));
      if (all.length === 3) return all;
    }
    return all;
  })();
  expect(events).toEqual(['late "late"', 'trouble "Redis cannot be reached"', 'fails "back"']);
  end.abort();
});

it('an unexpected error is logged once', async () => {
  const end = new AbortController();
  const failed: unknown[] = [];
  const odd = async () => {
    throw new TypeError('odd');
  };
  const stream = pageStream({ odd }, end.signal, (error) => failed.push(error));
  expect(await framesOf(stream, 3)).toEqual(Array(3).fill('trouble "Something went wrong here"'));
  expect(failed).toHaveLength(1);
  end.abort();
});

it('ends when its signal aborts', async () => {
  const end = new AbortController();
  const stream = pageStream({ part: async () => 1 }, end.signal, () => {});
  await stream.next();
  await stream.next();
  end.abort();
  expect(await stream.next()).toEqual({ value: undefined, done: true });
});
