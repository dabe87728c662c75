export { Arming } from './arming.ts';
export { Circuit, type Trouble } from './circuit.ts';
export { startHeartbeat } from './heartbeat.ts';
export { Permits } from './permits.ts';
export { type Observer, Reconciler, type ReconcilerOptions } from './reconciler.ts';
export { type Asked, SessionService, type SessionServiceOptions, type Taken } from './session-service.ts';
export { repeat, type Surroundings } from './surroundings.ts';
export { type Fault, SWEEP_EVERY_MS, Sweep } from './sweep.ts';
export { startUpkeep, type UpkeepOptions } from './upkeep.ts';
