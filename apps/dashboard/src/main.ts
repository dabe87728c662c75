import { EnvError, readEnvOf, runProcess } from '@sandman/runtime';
import type { Account } from './accounts.ts';
import { startDashboard } from './assemble.ts';

await runProcess('dashboard', async (fail) => {
  const env = readEnvOf('dashboard', process.env);
  const accounts: Account[] = [{ user: env.DASHBOARD_USER, password: env.DASHBOARD_PASSWORD, role: 'operator' }];
  const viewer = { user: env.DASHBOARD_VIEWER_USER, password: env.DASHBOARD_VIEWER_PASSWORD };
  if (viewer.user && !viewer.password)
    throw new EnvError('DASHBOARD_VIEWER_PASSWORD is missing: it must be set where DASHBOARD_VIEWER_USER is');
  if (viewer.password && !viewer.user)
    throw new EnvError('DASHBOARD_VIEWER_USER is missing: it must be set where DASHBOARD_VIEWER_PASSWORD is');
  if (viewer.user === env.DASHBOARD_USER) throw new EnvError('DASHBOARD_VIEWER_USER is malformed: it must be another than DASHBOARD_USER');
  if (viewer.user && viewer.password) accounts.push({ user: viewer.user, password: viewer.password, role: 'viewer' });
  return startDashboard(env, accounts, fail);
});
