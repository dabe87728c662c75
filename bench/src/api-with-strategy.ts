import { buildApi } from '@sandman/api';
import { assembleApi } from '@sandman/api/assemble';
import { SessionService } from '@sandman/lifecycle';
import { readEnvOf, runProcess, system } from '@sandman/runtime';
import { type AlarmStrategy, alarmsWith } from './alarm-strategies.ts';

// Runs Sandman's API with its usual configuration, except that each ping moves its alarm in the way that `BENCH_WAY` names.
await runProcess('api', async (fail) => {
  const env = readEnvOf('api', { ...process.env, ALARM_SLACK: '0%' });
  const api = await assembleApi(env, fail);
  const { redis, store, policies, logger } = api;
  const alarms = alarmsWith(process.env.BENCH_WAY as AlarmStrategy, redis, env.KEY_PREFIX);
  const service = new SessionService({ store, alarms, policies, system, unarmed: (err) => logger.error({ err }, 'alarm') });
  const app = await buildApi({ ...api, service });
  await app.listen({ host: env.HOST, port: env.PORT });
  return {
    async close() {
      await app.close();
      await alarms.close();
      await api.close();
    },
  };
});
