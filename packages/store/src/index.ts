export type { Book } from './books.ts';
export type { Change } from './changes.ts';
export { FIELDS } from './record.ts';
export { encodePosition, type Position, RedisJournal, type StatusEvent } from './redis-journal.ts';
export { RedisPace } from './redis-pace.ts';
export { LOST_MS, REPORT_MS, RedisRoster, type Repair, type SeenWorker, type WorkerState } from './redis-roster.ts';
export { RedisSessionStore, type StoreOptions } from './redis-session-store.ts';
export { RedisTrend, SAMPLE_MS, type Sample } from './redis-trend.ts';
export { gather, scriptText } from './script.ts';
