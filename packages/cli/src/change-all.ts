import { setTimeout as wait } from 'node:timers/promises';
import { SandmanError } from '@sandman/client';
import type { Session } from '@sandman/contracts';
import { CommandFailure, EXIT } from './exit.ts';
import { asCommandFailure, concernsAll, retryAfterSeconds } from './failure.ts';
import { forEachConcurrently } from './for-each-concurrently.ts';
import { catchInterrupt } from './interrupt.ts';
import type { Output, ProcessIo } from './output.ts';
import { Progress } from './progress.ts';

/** How often a call is repeated when the API asks to wait; otherwise a rate limit would fail half of many calls. */
const TRIES = 20;

export interface BulkChange {
  readonly uuids: readonly string[];
  readonly concurrency: number;
  /** Words for messages, such as `waking` and `woken`. */
  readonly doing: string;
  readonly done: string;
  /** The API's address, for error messages. */
  readonly url: string;
  act(uuid: string): Promise<Session>;
  /** Describes a session after its change, in one line. */
  result(session: Session): string;
}

async function retryWhenAskedToWait(act: () => Promise<Session>, signal: AbortSignal): Promise<Session> {
  for (let left = TRIES; ; left--) {
    try {
      return await act();
    } catch (error) {
      const seconds = retryAfterSeconds(error);
      if (seconds === null || left === 0) throw error;
      await wait(seconds * 1_000, undefined, { signal }).catch(() => {
        throw error;
      });
    }
  }
}

function errorDocument(uuid: string, { message, cause }: CommandFailure) {
  const { code, status } = cause instanceof SandmanError ? cause : { code: null, status: null };
  return { uuid, error: { code, status, detail: message } };
}

/**
 * Changes the sessions, some at a time, and goes on after a failure. Begins no further ones after Ctrl-C, or after an error
 * that all others would meet as well. Prints a line for each session: its uuid and result, or the Session as JSON.
 *
 * @throws CommandFailure with a summary, unless all were done
 */
export async function changeAll(job: BulkChange, output: Output, io: ProcessIo): Promise<void> {
  const { uuids, url, act } = job;
  using interrupt = catchInterrupt();
  const hopeless = new AbortController();
  const stop = AbortSignal.any([interrupt.signal, hopeless.signal]);
  const progress = new Progress(io.stderr, job.doing, uuids.length);
  interrupt.signal.addEventListener('abort', () => progress.say('waiting for what is under way; Ctrl-C again leaves at once'));

  progress.update();
  await forEachConcurrently(uuids.values(), job.concurrency, stop, async (uuid) => {
    try {
      const session = await retryWhenAskedToWait(() => act(uuid), stop);
      progress.done++;
      progress.clear();
      if (output.json) output.document(session);
      else output.line(`${uuid}  ${job.result(session)}`);
    } catch (error) {
      const failure = asCommandFailure(error, url);
      progress.failed.push(failure);
      progress.say(`${uuid}: ${failure.message}`);
      if (output.json) output.document(errorDocument(uuid, failure));
      if (concernsAll(error)) hopeless.abort();
    }
    progress.update();
  });
  progress.clear();

  const { done, failed, left } = progress;
  if (done === uuids.length) return progress.say(`${done} sessions ${job.done}`);
  const sum = `${done} of ${uuids.length} sessions ${job.done}, ${failed.length} failed${left > 0 ? `, ${left} not begun` : ''}`;
  if (interrupt.signal.aborted) throw new CommandFailure(EXIT.interrupted, `interrupted: ${sum}`);
  throw new CommandFailure(hopeless.signal.aborted ? failed.at(-1)!.exitCode : EXIT.failed, sum);
}

/**
 * Changes one session. Ctrl-C ends the process at once.
 *
 * @throws the error of the call
 */
export async function changeOne(uuid: string, job: Pick<BulkChange, 'url' | 'act' | 'result'>, output: Output): Promise<void> {
  const { url, act, result } = job;
  try {
    const session = await act(uuid);
    if (output.json) output.document(session);
    else output.line(`${uuid}  ${result(session)}`);
  } catch (error) {
    if (output.json) output.document(errorDocument(uuid, asCommandFailure(error, url)));
    throw error;
  }
}
