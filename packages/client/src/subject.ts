import type { ActivityKind } from './api-types.ts';

/** Tells whether a value has the form of a session's uuid. */
export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value);
}

/** Tells whether a value has the form of a user's id: 1 to 255 characters, no unpaired surrogate, and neither `.` nor `..`. */
export function isUserId(value: unknown): value is string {
  if (typeof value !== 'string' || value === '' || value === '.' || value === '..') return false;
  return value.length <= 510 && [...value].length <= 255 && value.isWellFormed();
}

export function isKind(value: unknown): value is ActivityKind {
  return value === 'user' || value === 'background';
}
