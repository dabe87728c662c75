import { createHash, scryptSync, timingSafeEqual } from 'node:crypto';
import type { Role } from './wire.ts';

export interface Account {
  readonly user: string;
  readonly password: string;
  readonly role: Role;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/**
 * Whose login this is, if it is anybody's. Every account is compared, in constant time, so that the time taken tells
 * nothing of them.
 */
export function identify(accounts: readonly Account[], user: string, password: string): Account | null {
  const given = [digest(user), digest(password)] as const;
  const right = accounts.filter((account) => {
    const same = [timingSafeEqual(digest(account.user), given[0]), timingSafeEqual(digest(account.password), given[1])];
    return same.every(Boolean);
  });
  return right[0] ?? null;
}

/** A quarter of a second and 64 MB for each try, once when the process starts. */
const SCRYPT_N = 2 ** 16;

/**
 * The key that cookies are signed with. Made of the logins themselves, so that every dashboard of a fleet takes the
 * others' cookies, a restart logs nobody out, and a changed password logs everybody out. Slow by design: a cookie must not
 * be a way to try passwords.
 */
export function signingKey(accounts: readonly Account[]): Buffer {
  const logins = JSON.stringify(accounts.map(({ user, password, role }) => [user, password, role]));
  return scryptSync(logins, 'sandman-dashboard-cookie', 32, { N: SCRYPT_N, maxmem: 2 * 128 * 8 * SCRYPT_N });
}
