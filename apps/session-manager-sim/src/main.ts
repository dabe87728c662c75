import { readEnvOf, runProcess } from '@sandman/runtime';
import { buildSim } from './app.ts';

await runProcess('session-manager', async () => {
  const env = readEnvOf('session-manager-sim', process.env);
  const app = buildSim({ apiKey: env.SIM_API_KEY });
  const address = await app.listen({ host: env.HOST, port: env.SIM_PORT });
  console.log(`The simulated session-manager listens on ${address}`);
  return app;
});
