export { RedisPace } from './redis-pace.ts';
export { RedisSessionStore, type StoreOptions } from './redis-session-store.ts';
