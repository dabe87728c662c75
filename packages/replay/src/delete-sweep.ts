import { type Policy, parseDuration } from '@sandman/core';
import type { SimulationResult } from './usage-counter.ts';

/** The values of `deleteAfter` that are tried, the shortest first. */
export const DELETE_AFTERS = ['1h', '6h', '1d', '2d', '3d', '7d', '14d', '30d', '60d', '90d'] as const;

/** Makes policies that differ only in `deleteAfter`, one for each of {@link DELETE_AFTERS}. */
export function deleteSweep({ sleepAfter, backgroundCap }: Pick<Policy, 'sleepAfter' | 'backgroundCap'>): Policy[] {
  return DELETE_AFTERS.map((text) => ({ name: 'custom', sleepAfter, deleteAfter: parseDuration(text, 'deleteAfter'), backgroundCap }));
}

/** Returns for how long pods existed, awake or asleep, in days. Their data take up storage for that long. */
export function podDaysKept({ awakeSeconds, asleepSeconds }: Pick<SimulationResult, 'awakeSeconds' | 'asleepSeconds'>): number {
  return (awakeSeconds + asleepSeconds) / 86_400;
}

/** A value of `deleteAfter`, with what it costs and what it loses. */
export interface DeleteStep {
  readonly deleteAfter: (typeof DELETE_AFTERS)[number];
  readonly podDaysKept: number;
  readonly deletes: number;
  readonly wakes: number;
  readonly recreations: number;
  readonly lostReturns: number | null;
  /** The pod-days for each recreation less than at the step before; null at the first step, and where there are none less. */
  readonly podDaysPerReturn: number | null;
}

/** Compares the results of a {@link deleteSweep}, in its order. */
export function deleteSteps(results: readonly SimulationResult[]): DeleteStep[] {
  return results.map((result, i) => {
    const { deletes, wakes, recreations, lostReturns } = result;
    const before = results[i - 1];
    const avoided = before ? before.recreations - recreations : 0;
    const podDaysPerReturn = avoided > 0 ? (podDaysKept(result) - podDaysKept(before!)) / avoided : null;
    return { deleteAfter: DELETE_AFTERS[i]!, podDaysKept: podDaysKept(result), deletes, wakes, recreations, lostReturns, podDaysPerReturn };
  });
}

/**
 * Recommends the shortest `deleteAfter` under which at most this share of the users' returns finds the pod deleted.
 *
 * @param atMost 0 to 1
 * @returns null if there is none, and if no user returned at all, because nothing then speaks for any of them
 */
export function recommendDelete(steps: readonly DeleteStep[], atMost: number): Pick<DeleteStep, 'deleteAfter' | 'lostReturns'> | null {
  if (steps.every(({ lostReturns }) => lostReturns === null)) return null;
  const step = steps.find(({ lostReturns }) => (lostReturns ?? 0) <= atMost);
  return step ? { deleteAfter: step.deleteAfter, lostReturns: step.lostReturns } : null;
}
