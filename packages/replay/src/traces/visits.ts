import { type Trace, unpackEvent, unpackTime } from '../trace.ts';

/** A visit ends with a pause of this length, in ms. */
export const VISIT_ENDS_MS = 1_800_000;

/** How the users of a trace behave, as far as `sleepAfter` depends on it. Null: the trace has no gap within a visit. */
export interface VisitFigures {
  readonly visits: number;
  /** The time between two user events of one visit, in ms; `sigma` is the standard deviation of its natural logarithm. */
  readonly gap: { readonly median: number; readonly sigma: number; readonly p95: number } | null;
  /** User events in a visit. */
  readonly messages: { readonly mean: number; readonly median: number };
  /** The share of the visits with one user event, 0 to 1. */
  readonly singleShare: number;
}

/** @param sorted not empty */
function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

function gapFigures(sorted: Float64Array): VisitFigures['gap'] {
  if (sorted.length === 0) return null;
  // Two events of the same ms have no logarithm.
  const logs = sorted.filter((gap) => gap > 0).map(Math.log);
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
  const sigma = Math.sqrt(logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / logs.length);
  return { median: quantile(sorted, 0.5), sigma: logs.length > 0 ? sigma : 0, p95: quantile(sorted, 0.95) };
}

/** Measures the visits of a trace. Counts the users' activity alone. Returns null if there is none. */
export function measureVisits(trace: Trace): VisitFigures | null {
  const gaps: number[] = [];
  const messages: number[] = [];
  for (let session = 0; session < trace.sessions; session++) {
    let last = Number.NEGATIVE_INFINITY;
    for (const packed of trace.eventsOf(session)) {
      if (unpackEvent(packed) !== 'user') continue;
      const at = unpackTime(packed);
      if (at - last >= VISIT_ENDS_MS) messages.push(1);
      else {
        gaps.push(at - last);
        messages[messages.length - 1]!++;
      }
      last = at;
    }
  }
  if (messages.length === 0) return null;
  const sizes = Float64Array.from(messages).sort();
  return {
    visits: sizes.length,
    gap: gapFigures(Float64Array.from(gaps).sort()),
    messages: { mean: sizes.reduce((sum, size) => sum + size, 0) / sizes.length, median: quantile(sizes, 0.5) },
    singleShare: sizes.filter((size) => size === 1).length / sizes.length,
  };
}
