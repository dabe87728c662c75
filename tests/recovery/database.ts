import { execFileSync } from 'node:child_process';
export interface TestDatabase {
  readonly url: string;
  clear(): Promise<void>;
  stop(): Promise<void>;
}
export async function openDatabase(kind: 'postgres' | 'mysql'): Promise<TestDatabase> {
  const sql = (q: string) =>
    execFileSync(
      kind === 'postgres' ? 'psql' : 'mariadb',
      kind === 'postgres' ? ['-qd', 'restore_dev', '-c', q] : ['restore_dev', '-e', q],
    );
  const clear = async () => {
    for (const t of ['user_sessions', 'session_events'])
      try {
        sql(`delete from ${t}`);
      } catch {}
  };
  await clear();
  return {
    url:
      kind === 'postgres'
        ? 'postgres://restore_dev:secretword@127.0.0.1:5432/restore_dev'
        : 'mysql://restore_dev:secretword@127.0.0.1:3306/restore_dev',
    clear,
    stop: async () => {},
  };
}
