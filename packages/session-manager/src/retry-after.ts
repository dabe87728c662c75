const RETRY_AFTER_CAP_MS = 24 * 3_600_000;

/**
 * Reads a `Retry-After` header (RFC 9110: seconds or an HTTP date).
 *
 * @returns ms from now, at most 24 h; 0 where there is none or it cannot be read
 */
export function parseRetryAfter(value: string | string[] | undefined, now = Date.now()): number {
  if (typeof value !== 'string') return 0;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - now;
  return ms > 0 ? Math.min(ms, RETRY_AFTER_CAP_MS) : 0;
}
