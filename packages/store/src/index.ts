export type { Book } from './books.ts';
export { type Change, encodePosition, type Position, RedisJournal, type StatusEvent } from './redis-journal.ts';
export { RedisPace } from './redis-pace.ts';
export { RedisSessionStore, type StoreOptions } from './redis-session-store.ts';
