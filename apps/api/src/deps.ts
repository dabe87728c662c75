import type { PoliciesInUse, SessionService } from '@sandman/lifecycle';
import type { Fleet, Logger, Metrics, Tracing } from '@sandman/runtime';
import type { SessionManagerClient } from '@sandman/session-manager';
import type { RedisJournal, RedisShadows } from '@sandman/store';
import type { RateLimit } from './rate-limit.ts';

/** Everything that `buildApi` needs. */
export interface ApiDeps {
  readonly service: SessionService;
  readonly journal: RedisJournal;
  readonly shadows: Pick<RedisShadows, 'read'>;
  readonly sessionManager: SessionManagerClient;
  readonly policies: Pick<PoliciesInUse, 'book'>;
  /** Keys that callers may use. */
  readonly apiKeys: readonly string[];
  readonly rateLimit: RateLimit | null;
  /** `POD_PRICE_PER_HOUR`; null if it is not set. */
  readonly podPrice: number | null;
  /** `SESSION_MANAGER_TIMEOUT`, ms: the longest wait of a chat for the wake of its session. */
  readonly timeout: number;
  /** `CHAT_TIMEOUT`, ms. */
  readonly chatTimeout: number;
  /** `CHAT_BODY_LIMIT`, bytes. */
  readonly chatBodyLimit: number;
  /** `KEEP_ALIVE_TIMEOUT`, ms. */
  readonly keepAlive: number;
  /** `TRUST_PROXY`: addresses and networks whose `X-Forwarded-*` headers are trusted. */
  readonly trustedProxies: readonly string[];
  readonly metrics: Metrics;
  readonly fleet: Fleet;
  readonly logger: Logger;
  /** Null if tracing is off. */
  readonly requestSpans: Tracing['requests'];
  /** Whether this process may use the data in Redis: its `SHARDS` fits that data. */
  readonly admitted: () => boolean;
  /** Whether this process is admitted and Redis answers. */
  readonly ready: () => Promise<boolean>;
}
