import { admit, connect } from '@sandman/assembly';
import { createLogger, type Running, type readEnvOf } from '@sandman/runtime';
import type { Account } from './accounts.ts';
import { buildDashboard } from './app.ts';

/** The slack of the dashboard's writes, in percent of the waiting time. It is small, because changes by hand are rare, unlike pings. */
const SLACK_PERCENT = 1;

/** Starts a dashboard. @param fail ends the process */
export async function startDashboard(
  env: ReturnType<typeof readEnvOf<'dashboard'>>,
  accounts: readonly Account[],
  fail: (error: unknown) => void,
): Promise<Running> {
  const logger = createLogger(env.LOG_LEVEL, 'dashboard');
  // A person waits for each page, so commands fail quickly and do not wait until Redis can be reached.
  const connection = connect(env, { role: 'request', slack: SLACK_PERCENT, logger });
  const admission = await admit(connection, logger, fail);
  const app = await buildDashboard({
    connection,
    accounts,
    podPrice: env.POD_PRICE_PER_HOUR,
    keepAlive: env.KEEP_ALIVE_TIMEOUT,
    trustedProxies: env.TRUST_PROXY,
    logger,
  });
  const address = await app.listen({ host: env.HOST, port: env.DASHBOARD_PORT });
  logger.info({ address }, 'dashboard is up');
  return {
    async close() {
      await app.close();
      admission.close();
      await connection.close();
    },
  };
}
