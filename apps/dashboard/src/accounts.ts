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
 * Returns the account that user and password belong to; null if there is none. It compares every account in constant time, so
 * that the time it takes reveals nothing about them.
 */
export function identify(accounts: readonly Account[], user: string, password: string): Account | null {
  const given = [digest(user), digest(password)] as const;
  const right = accounts.filter((account) => {
    const same = [timingSafeEqual(digest(account.user), given[0]), timingSafeEqual(digest(account.password), given[1])];
    return same.every(Boolean);
  });
  return right[0] ?? null;
}

/** The cost of scrypt: 0.25 s and 64 MB for each guess. The process pays it once, when it starts. */
const SCRYPT_N = 2 ** 16;

/**
 * Derives the key that signs cookies from the logins. So all dashboard processes accept each other's cookies, a restart logs no
 * user out, and a changed password logs all users out. It is slow on purpose, so that a cookie cannot be used to guess passwords.
 */
export function cookieKey(accounts: readonly Account[]): Buffer {
  const logins = JSON.stringify(accounts.map(({ user, password, role }) => [user, password, role]));
  return scryptSync(logins, 'sandman-dashboard-cookie', 32, { N: SCRYPT_N, maxmem: 2 * 128 * 8 * SCRYPT_N });
}
