import type { SandmanClient, Session } from '@sandman/client';

/**
 * Returns a function that finds or creates the one workspace of a user. The sessions are stored only in Sandman, so a restart of
 * this process loses nothing.
 */
export function workspacesOf({ sessions }: SandmanClient): (userId: string) => Promise<Session> {
  const eldest = async (userId: string) => {
    const { items } = await sessions.list({ userId });
    const live = items.filter(({ status }) => status !== 'deleting');
    return live.sort((a, b) => (a.createdAt + a.uuid < b.createdAt + b.uuid ? -1 : 1))[0];
  };
  const findOrCreate = async (userId: string) => {
    const found = await eldest(userId);
    if (found) return found;
    const made = await sessions.create({ userId });
    // Another instance of this backend may have created one at the same time. Both keep the older one, and the instance that created
    // the younger one deletes it.
    const kept = (await eldest(userId)) ?? made;
    if (kept.uuid !== made.uuid) await sessions.delete(made.uuid);
    return kept;
  };
  // Two requests at the same time share one lookup, so they create one pod.
  const underway = new Map<string, Promise<Session>>();
  return (userId) => {
    const session = underway.get(userId) ?? findOrCreate(userId).finally(() => underway.delete(userId));
    underway.set(userId, session);
    return session;
  };
}
