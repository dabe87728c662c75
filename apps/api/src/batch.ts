import { EventSchema } from '@sandman/contracts';
import { type ErrorCode, InvalidInput } from '@sandman/core';
import type { Signal } from '@sandman/lifecycle';
import { Ajv } from 'ajv';
import type { Static } from 'typebox';
import { parseAt } from './inputs.ts';
import { rejectionCode } from './problems.ts';

const isEvent = new Ajv().compile<Static<typeof EventSchema>>(EventSchema);

/** @throws InvalidInput */
function parseEvent(given: unknown): Signal {
  if (!isEvent(given)) throw new InvalidInput('event', 'must be {uuid or userId, at?, kind?}');
  const { uuid, userId, kind = 'user' } = given;
  const at = parseAt(given.at);
  if (uuid !== undefined && userId === undefined) return { uuid, kind, at };
  if (userId !== undefined && uuid === undefined) return { userId, kind, at };
  throw new InvalidInput('event', 'must carry a uuid or a userId, and not both');
}

function subjectOf(signal: Signal): string {
  return 'uuid' in signal ? `uuid ${signal.kind} ${signal.uuid}` : `userId ${signal.kind} ${signal.userId}`;
}

/** Returns the later of two times in ms. Null means now and is the latest: times in the future count as now. */
function laterTime(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b);
}

/** A batch, read and grouped. */
export interface Batch {
  /** One signal for each subject and kind, with the latest time of its events. */
  readonly signals: readonly Signal[];
  /** For each event, the index of its signal in `signals`, or the code of its error. */
  readonly events: readonly (number | ErrorCode)[];
}

/** Reads the events of a batch. An invalid event gets an error code and does not affect the others. */
export function readBatch(given: readonly unknown[]): Batch {
  const signals: Signal[] = [];
  const positions = new Map<string, number>();
  const events = given.map((one) => {
    let signal: Signal;
    try {
      signal = parseEvent(one);
    } catch (error) {
      const code = rejectionCode(error);
      if (code === null) throw error;
      return code;
    }
    const subject = subjectOf(signal);
    const position = positions.get(subject) ?? signals.length;
    positions.set(subject, position);
    signals[position] = { ...signal, at: laterTime(signal.at, (signals[position] ?? signal).at) };
    return position;
  });
  return { signals, events };
}
