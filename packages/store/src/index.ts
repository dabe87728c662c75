export { RedisSessionStore, type StoreOptions } from './redis-session-store.ts';
