import type { Policy } from '@sandman/core';
import type { SimulationResult } from './usage-counter.ts';

/** The values of `sleepAfter` in a parameter sweep: 1 minute to 4 hours, denser at the short end. */
const MINUTES = [1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240];

/** Makes policies that differ only in `sleepAfter`, the shortest first. */
export function parameterSweep({ deleteAfter, backgroundCap }: Pick<Policy, 'deleteAfter' | 'backgroundCap'>): Policy[] {
  return MINUTES.map((minutes) => ({ name: 'custom', sleepAfter: minutes * 60_000, deleteAfter, backgroundCap }));
}

/** A policy of a parameter sweep, and its result. */
export interface SweepPoint {
  readonly policy: Policy;
  readonly result: SimulationResult;
}

/** Regrets ÷ sleeps; 0 if there are no sleeps. */
export function regretShare({ regrets, sleeps }: Pick<SimulationResult, 'regrets' | 'sleeps'>): number {
  return sleeps > 0 ? regrets / sleeps : 0;
}

/** A point of the sweep, with what each additional minute since the point before it costs and brings. */
export interface SweepStep {
  readonly sleepAfter: string;
  readonly awakeSeconds: number;
  readonly savedFraction: number;
  readonly sleeps: number;
  readonly regrets: number;
  readonly regretShare: number;
  /** Null at the first point. */
  readonly perMinute: { readonly awakeSeconds: number; readonly regretsAvoided: number } | null;
}

export interface Recommendation {
  /** The greatest share of regrets that the caller accepts, 0 to 1. */
  readonly atMost: number;
  /** The cheapest policy of the sweep with at most that share of regrets; null if there is none. */
  readonly policy: SimulationResult['policy'] | null;
  /** The policy after which further minutes cost more, for what they bring, than those before. */
  readonly knee: SimulationResult['policy'];
  readonly sweep: readonly SweepStep[];
}

function steps(points: readonly SweepPoint[]): SweepStep[] {
  return points.map(({ policy, result }, i) => {
    const { awakeSeconds, savedFraction, sleeps, regrets } = result;
    const before = points[i - 1];
    const minutes = before ? (policy.sleepAfter! - before.policy.sleepAfter!) / 60_000 : 0;
    const perMinute = before && {
      awakeSeconds: (awakeSeconds - before.result.awakeSeconds) / minutes,
      regretsAvoided: (before.result.regrets - regrets) / minutes,
    };
    const counted = { awakeSeconds, savedFraction, sleeps, regrets, regretShare: regretShare(result) };
    return { sleepAfter: result.policy.sleepAfter, ...counted, perMinute: perMinute ?? null };
  });
}

/** Finds the point farthest below the straight line between the two ends of the sweep, with both axes scaled to the same length. */
function kneeOf(points: readonly SweepPoint[]): SweepPoint {
  const [first, last] = [points[0]!.result, points.at(-1)!.result];
  const part = (value: number, from: number, to: number) => (to === from ? 0 : (value - from) / (to - from));
  const gain = ({ result }: SweepPoint) =>
    part(result.regrets, first.regrets, last.regrets) - part(result.awakeSeconds, first.awakeSeconds, last.awakeSeconds);
  return points.reduce((best, point) => (gain(point) > gain(best) ? point : best));
}

/**
 * Recommends a policy: weighs what a shorter `sleepAfter` saves against the regrets that it causes.
 *
 * @param points of a sweep, the shortest `sleepAfter` first
 * @param atMost the greatest share of sleeps that may be regretted, 0 to 1
 */
export function recommend(points: readonly SweepPoint[], atMost: number): Recommendation {
  const good = points.filter(({ result }) => regretShare(result) <= atMost);
  const cheapest = good.length === 0 ? null : good.reduce((a, b) => (b.result.awakeSeconds < a.result.awakeSeconds ? b : a));
  return { atMost, policy: cheapest?.result.policy ?? null, knee: kneeOf(points).result.policy, sweep: steps(points) };
}
