import { parentPort, workerData } from 'node:worker_threads';
import type { Policy } from '@sandman/core';
import { simulate } from './simulate.ts';
import type { ThreadData } from './simulate-all.ts';
import { Trace } from './trace.ts';

const { buffers, conditions } = workerData as ThreadData;
const trace = new Trace(buffers);
parentPort!.on('message', (policy: Policy) => parentPort!.postMessage(simulate(trace, policy, conditions)));
