export { type Env, EnvError, readEnv, type VariableName } from './env.ts';
export { collectFleet, type Fleet } from './fleet.ts';
export { createLogger, type Logger } from './logger.ts';
export { createMetrics, type Metrics } from './metrics.ts';
export { type OpsServer, type OpsServerOptions, startOpsServer } from './ops-server.ts';
export { type Running, runProcess } from './process.ts';
export { answers, connectRedis } from './redis.ts';
export { surroundings } from './surroundings.ts';
export { annotate, startTracing, type Tracing } from './tracing.ts';
