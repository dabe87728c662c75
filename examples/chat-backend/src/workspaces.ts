import type { SandmanClient, Session } from '@sandman/client';

/** One workspace a user. Which one is Sandman's to know: nothing is kept here, so a restart forgets nothing. */
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
    // Another instance of this backend may have been as quick: both keep the elder, and who made the younger takes it back.
    const kept = (await eldest(userId)) ?? made;
    if (kept.uuid !== made.uuid) await sessions.delete(made.uuid);
    return kept;
  };
  // Two clicks at once make one pod.
  const underway = new Map<string, Promise<Session>>();
  return (userId) => {
    const session = underway.get(userId) ?? findOrCreate(userId).finally(() => underway.delete(userId));
    underway.set(userId, session);
    return session;
  };
}
