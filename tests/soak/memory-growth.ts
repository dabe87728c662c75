/** Growth within these two is no leak: a heap that still finds its size, or a burst. */
const ALLOWED_SHARE = 0.15;
const ALLOWED_BYTES = 30 * 1_048_576;
const QUARTERS = 4;

export interface Growth {
  /** The medians of the second and the last quarter, in bytes. */
  readonly early: number;
  readonly late: number;
  /** The largest allowed value of `late`, in bytes. */
  readonly most: number;
  readonly bounded: boolean;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

/**
 * Decides whether memory stayed bounded. Skips the first quarter as warm-up. Uses medians, so that neither a burst nor a garbage
 * collection decides.
 *
 * @param series bytes, measured at equal intervals
 * @throws RangeError if a quarter has no measurement, or a measurement is not a number
 */
export function measureGrowth(series: readonly number[]): Growth {
  if (series.length < QUARTERS) throw new RangeError(`${series.length} measurements are too few to judge`);
  if (!series.every(Number.isFinite)) throw new RangeError('a measurement is not a number');
  const quarter = (n: number) => series.slice(Math.floor((series.length * n) / QUARTERS), Math.floor((series.length * (n + 1)) / QUARTERS));
  const early = median(quarter(1));
  const late = median(quarter(3));
  const most = early * (1 + ALLOWED_SHARE) + ALLOWED_BYTES;
  return { early, late, most, bounded: late <= most };
}
