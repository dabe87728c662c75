import { Counter, Histogram, type Registry } from 'prom-client';

/** The values of each label that are known in advance; an empty list where they are not known. */
type KnownValues<Label extends string> = Readonly<Record<Label, readonly string[]>>;

interface Declared<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels: KnownValues<Label>;
  /** Whether this process counts it. Where it does not, the metric is declared and has no series. */
  readonly counted?: boolean;
}

function combinations<Label extends string>(labels: KnownValues<Label>): Record<Label, string>[] {
  const entries = Object.entries<readonly string[]>(labels);
  const start = [{}] as Record<Label, string>[];
  return entries.reduce((all, [label, values]) => all.flatMap((one) => values.map((value) => ({ ...one, [label]: value }))), start);
}

/**
 * Declares a counter. Its series exist from the start, with 0: `increase()` does not count the first value of a series.
 */
export function counter<Label extends string>(registry: Registry, { name, help, labels, counted = true }: Declared<Label>): Counter<Label> {
  const made = new Counter({ name, help, labelNames: Object.keys(labels) as Label[], registers: [registry] });
  if (counted) for (const one of combinations(labels)) made.inc(one, 0);
  return made;
}

/** Declares a histogram of durations in s. Its series exist from the start, with 0, as those of a {@link counter}. */
export function histogram<Label extends string>(
  registry: Registry,
  { name, help, labels, counted = true, buckets }: Declared<Label> & { readonly buckets?: number[] },
): Histogram<Label> {
  const labelNames = Object.keys(labels) as Label[];
  const made = new Histogram({ name, help, labelNames, registers: [registry], ...(buckets ? { buckets } : {}) });
  if (counted) for (const one of combinations(labels)) made.zero(one);
  return made;
}
