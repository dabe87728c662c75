import { createHash, scryptSync, timingSafeEqual } from 'node:crypto';

export type Role = 'operator' | 'viewer';

export interface Account {
  readonly user: string;
  readonly password: string;
  readonly role: Role;
}

/** Somebody who has logged in. */
export interface Identity {
  readonly user: string;
  readonly role: Role;
  /** When that is over, in ms of the epoch. */
  readonly until: number;
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

/**
 * The key that cookies are signed with. Made of the logins themselves, so that every dashboard of a fleet takes the
 * others' cookies, a restart logs nobody out, and a changed password logs everybody out. Slow by design: a cookie must not
 * be a way to try passwords.
 */
export function signingKey(accounts: readonly Account[]): Buffer {
  const logins = JSON.stringify(accounts.map(({ user, password, role }) => [user, password, role]));
  return scryptSync(logins, 'sandman-dashboard-cookie', 32);
}
