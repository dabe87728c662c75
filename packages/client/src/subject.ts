import type { ActivityKind } from './api-types.ts';

/** Whether Sandman could know a session by it. */
export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value);
}

/** Whether Sandman could know a user by it: 1 to 255 characters, no half of one, and neither `.` nor `..`. */
export function isUserId(value: unknown): value is string {
  if (typeof value !== 'string' || value === '' || value === '.' || value === '..') return false;
  return value.length <= 510 && [...value].length <= 255 && value.isWellFormed();
}

export function isKind(value: unknown): value is ActivityKind {
  return value === 'user' || value === 'background';
}
