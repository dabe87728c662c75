import type { AddressInfo } from 'node:net';
import { readEnv, runProcess } from '@sandman/runtime';
import { buildSim } from './app.ts';

await runProcess('session-manager', async () => {
  const env = readEnv(process.env, ['HOST', 'SIM_PORT', 'SIM_API_KEY']);
  const app = buildSim({ apiKey: env.SIM_API_KEY });
  await app.listen({ host: env.HOST, port: env.SIM_PORT });
  const { port } = app.server.address() as AddressInfo;
  console.log(`The simulated session-manager listens on http://${env.HOST}:${port}`);
  return app;
});
