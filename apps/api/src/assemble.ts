import { type Assembly, assemble } from '@sandman/assembly';
import { HEARTBEAT_MS, PolicySet } from '@sandman/core';
import { SessionService, startHeartbeat } from '@sandman/lifecycle';
import { annotate, createLogger, type Running, system } from '@sandman/runtime';
import { buildApi } from './app.ts';
import { type ApiDeps, type ApiEnv, chatTimeoutOf } from './deps.ts';

/** Connects what an API needs, without a server. @param fail ends the process */
export async function assembleApi(env: ApiEnv, fail: (error: unknown) => void): Promise<Assembly & ApiDeps> {
  const logger = createLogger(env.LOG_LEVEL, 'api');
  const assembly = await assemble('api', env, {
    own: new PolicySet(env.POLICIES, env.DEFAULT_POLICY),
    announces: true,
    shadows: [],
    chatTimeout: chatTimeoutOf(env),
    logger,
    fail,
  });
  const { store, alarms, policies } = assembly;
  const service = new SessionService({
    store,
    alarms,
    policies,
    system,
    unarmed: (err) => logger.warn({ err }, 'an alarm could not be set at once; a worker will finish it'),
    asked(session, asked) {
      annotate({ session, ...asked });
      logger.info({ session, ...asked }, 'request accepted');
    },
  });
  return { ...assembly, env, service };
}

/** Starts an API: its server and its heartbeats. @param fail ends the process */
export async function startApi(env: ApiEnv, fail: (error: unknown) => void): Promise<Running> {
  const api = await assembleApi(env, fail);
  const { store, alarms, admission, logger } = api;
  const app = await buildApi(api);
  await app.listen({ host: env.HOST, port: env.PORT });
  const stopHeartbeat = startHeartbeat({
    store,
    system,
    every: HEARTBEAT_MS,
    clock: alarms,
    // While calls are shed, pings are refused. Without a heartbeat this counts as a gap, not as users being idle.
    open: () => admission.isGiven && !app.isShedding(),
    gap: (shard, ms) => logger.warn({ shard, ms }, 'no API could take pings: the end of that counts as activity'),
    rewound: (shard) => logger.error({ shard }, 'Redis came back with older data: its sessions are in doubt'),
    failed: (err) => logger.debug({ err }, 'heartbeat failed'),
  });
  return {
    async close() {
      await app.readiness.drain();
      // Pings are refused from now on. Without heartbeats this counts as a gap, not as users being idle.
      await stopHeartbeat();
      await app.close();
      await api.close();
    },
  };
}
