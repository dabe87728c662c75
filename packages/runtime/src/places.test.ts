import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { waitFor } from '@sandman/sandbox';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Places, whenOver } from './places.ts';

test('no more places are given than there are, and each comes back once', () => {
  const places = new Places(3);
  const first = places.take();
  const second = places.take(2);
  expect([places.taken, places.full]).toEqual([3, true]);
  expect(places.take()).toBeNull();
  first?.();
  first?.();
  expect([places.taken, places.full]).toEqual([2, false]);
  expect(places.take(2)).toBeNull();
  expect(places.taken).toBe(2);
  second?.();
  expect(places.take(3)).not.toBeNull();
});

let server: Server;
let answers: ServerResponse[];

beforeEach(async () => {
  answers = [];
  server = createServer((_, answer) => answers.push(answer));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const request = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';
const dial = () => connect((server.address() as AddressInfo).port, '127.0.0.1');

test('an answer is over when it is sent, and when its caller has gone, behind another one too', async () => {
  const caller = dial();
  caller.write(request.repeat(3));
  await waitFor('all have arrived', () => answers.length === 3);
  const over: number[] = [];
  for (const [index, answer] of answers.entries()) whenOver(answer, () => over.push(index));
  answers[0]?.end();
  await waitFor('the first is over', () => over.includes(0));
  expect(over).toEqual([0]);
  caller.destroy();
  await waitFor('so are those behind it', () => over.length === 3);
});

test('an answer whose caller left before anybody asked is over at once', async () => {
  const caller = dial();
  caller.write(request);
  await waitFor('it has arrived', () => answers.length === 1);
  caller.destroy();
  await waitFor('the server has seen it go', () => answers[0]?.closed === true);
  let calls = 0;
  whenOver(answers[0] as ServerResponse, () => {
    calls += 1;
  });
  expect(calls).toBe(1);
});
