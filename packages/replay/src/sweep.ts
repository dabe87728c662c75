import type { Policy } from '@sandman/core';
import type { Result } from './tally.ts';

/** From 1 minute to 4 hours, denser where it matters. */
const MINUTES = [1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240];

/** Policies that differ in `sleepAfter` alone, the shortest first. */
export function sweepOf({ deleteAfter, backgroundCap }: Pick<Policy, 'deleteAfter' | 'backgroundCap'>): Policy[] {
  return MINUTES.map((minutes) => ({ name: 'custom', sleepAfter: minutes * 60_000, deleteAfter, backgroundCap }));
}

/** A policy of a sweep, and what came of it. */
export interface Point {
  readonly policy: Policy;
  readonly result: Result;
}

/** Regrets ÷ sleeps; without any sleep there is nothing to regret. */
export function regretShare({ regrets, sleeps }: Pick<Result, 'regrets' | 'sleeps'>): number {
  return sleeps > 0 ? regrets / sleeps : 0;
}

/** A point of the sweep as a person weighs it: what each minute more than at the point before it costs, and brings. */
export interface Step {
  readonly sleepAfter: string;
  readonly awakeSeconds: number;
  readonly savedFraction: number;
  readonly sleeps: number;
  readonly regrets: number;
  readonly regretShare: number;
  /** Null at the first. */
  readonly perMinute: { readonly awakeSeconds: number; readonly regretsAvoided: number } | null;
}

export interface Recommendation {
  /** The share of regrets that was asked for, 0 to 1. */
  readonly atMost: number;
  /** The cheapest of the sweep with no more regrets than that; null where there is none. */
  readonly policy: Result['policy'] | null;
  /** From where on further minutes cost more, for what they bring, than those before. */
  readonly knee: Result['policy'];
  readonly sweep: readonly Step[];
}

function steps(points: readonly Point[]): Step[] {
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

/** The point farthest below the straight line from the sweep's one end to the other, both scales taken as equally long. */
function kneeOf(points: readonly Point[]): Point {
  const [first, last] = [points[0]!.result, points.at(-1)!.result];
  const part = (value: number, from: number, to: number) => (to === from ? 0 : (value - from) / (to - from));
  const gain = ({ result }: Point) =>
    part(result.regrets, first.regrets, last.regrets) - part(result.awakeSeconds, first.awakeSeconds, last.awakeSeconds);
  return points.reduce((best, point) => (gain(point) > gain(best) ? point : best));
}

/**
 * Weighs what sleeping sooner saves against how often it is regretted.
 *
 * @param points of a sweep, the shortest `sleepAfter` first
 * @param atMost the share of sleeps that may be regretted, 0 to 1
 */
export function recommend(points: readonly Point[], atMost: number): Recommendation {
  const good = points.filter(({ result }) => regretShare(result) <= atMost);
  const cheapest = good.length === 0 ? null : good.reduce((a, b) => (b.result.awakeSeconds < a.result.awakeSeconds ? b : a));
  return { atMost, policy: cheapest?.result.policy ?? null, knee: kneeOf(points).result.policy, sweep: steps(points) };
}
