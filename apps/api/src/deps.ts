import type { Assembly } from '@sandman/assembly';
import type { SessionService, SharedPolicies } from '@sandman/lifecycle';
import type { readEnvOf } from '@sandman/runtime';

export type ApiEnv = ReturnType<typeof readEnvOf<'api'>>;

type Assembled = 'redis' | 'journal' | 'sessionManager' | 'metrics' | 'fleet' | 'logger' | 'ready';

/** Everything that `buildApi` needs. */
export interface ApiDeps extends Pick<Assembly, Assembled> {
  readonly env: ApiEnv;
  readonly service: SessionService;
  readonly policies: Pick<SharedPolicies, 'current'>;
  readonly shadows: Pick<Assembly['shadows'], 'read'>;
  readonly admission: Pick<Assembly['admission'], 'isGiven'>;
  readonly tracing: Pick<Assembly['tracing'], 'requests'>;
}

/** Returns `CHAT_TIMEOUT` in ms, which is `SESSION_MANAGER_TIMEOUT` where it is not set. */
export function chatTimeoutOf(env: ApiEnv): number {
  return env.CHAT_TIMEOUT ?? env.SESSION_MANAGER_TIMEOUT;
}
