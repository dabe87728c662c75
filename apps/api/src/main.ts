import { readEnvOf, runProcess } from '@sandman/runtime';
import { startApi } from './assemble.ts';

await runProcess('api', async (fail) => startApi(readEnvOf('api', process.env), fail));
