export { Arming } from './arming.ts';
export { Permits } from './permits.ts';
export { type Observer, Reconciler, type ReconcilerOptions, type Surroundings } from './reconciler.ts';
export { SessionService, type SessionServiceOptions } from './session-service.ts';
export { startUpkeep, type UpkeepOptions } from './upkeep.ts';
