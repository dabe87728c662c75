/** One measured quantity, with its value in each round. */
export interface Figure {
  /** Names what was the same for all figures that it is compared with. */
  readonly group: string;
  readonly what: string;
  readonly unit: string;
  readonly rounds: readonly number[];
  readonly median: number;
  readonly least: number;
  readonly most: number;
  /** The bound that the median should meet. */
  readonly goal?: Goal;
}

export type Goal = { readonly atLeast: number } | { readonly atMost: number };

/** @param rounds one or more */
export function figure(group: string, what: string, unit: string, rounds: readonly number[], goal?: Goal): Figure {
  const sorted = rounds.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { group, what, unit, rounds, median, least: sorted[0]!, most: sorted.at(-1)!, ...(goal ? { goal } : {}) };
}

/** Divides one series by another, round by round, because what slows the machine down for a while slows both. */
export function ratio(group: string, what: string, above: readonly number[], below: readonly number[], goal?: Goal): Figure {
  return figure(
    group,
    what,
    '×',
    above.map((value, round) => value / below[round]!),
    goal,
  );
}

/** Returns whether the median meets its goal, or null if there is no goal. */
export function isMet({ goal, median }: Figure): boolean | null {
  if (!goal) return null;
  return 'atLeast' in goal ? median >= goal.atLeast : median <= goal.atMost;
}

/**
 * Measures each contestant once per round. The order rotates, so that no contestant always follows the same other one.
 *
 * @returns for each contestant, the results of `measure`, round by round
 */
export async function interleave<K extends string, T>(
  names: readonly K[],
  rounds: number,
  measure: (name: K, round: number) => Promise<T>,
): Promise<Record<K, T[]>> {
  const measured = Object.fromEntries(names.map((name) => [name, [] as T[]])) as Record<K, T[]>;
  for (let round = 0; round < rounds; round++) {
    const turned = names.map((_, i) => names[(i + round) % names.length]!);
    for (const name of turned) measured[name].push(await measure(name, round));
  }
  return measured;
}
