import { EventSchema } from '@sandman/contracts';
import { type ErrorCode, InvalidInput } from '@sandman/core';
import type { Signal } from '@sandman/lifecycle';
import { Ajv } from 'ajv';
import type { Static } from 'typebox';
import { parseAt } from './inputs.ts';
import { rejection } from './problems.ts';

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

/** Null is now, which is the newest: a later time counts as now. */
function newest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b);
}

/** What a batch asks for. */
export interface Batch {
  /** One for each subject and kind, with the newest time of its events. */
  readonly signals: readonly Signal[];
  /** For each event the position of its signal, or the code of what is wrong with it. */
  readonly events: readonly (number | ErrorCode)[];
}

/** Reads the events of a batch, each on its own. */
export function readBatch(given: readonly unknown[]): Batch {
  const signals: Signal[] = [];
  const positions = new Map<string, number>();
  const events = given.map((one) => {
    let signal: Signal;
    try {
      signal = parseEvent(one);
    } catch (error) {
      const code = rejection(error);
      if (code === null) throw error;
      return code;
    }
    const subject = subjectOf(signal);
    const position = positions.get(subject) ?? signals.length;
    positions.set(subject, position);
    signals[position] = { ...signal, at: newest(signal.at, (signals[position] ?? signal).at) };
    return position;
  });
  return { signals, events };
}
