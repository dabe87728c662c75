export { type AppProcess, startApp } from './app-process.ts';
export { embeddedRedis, type FoundRedis, redisForTests } from './find-redis.ts';
export { freePort, type RedisServer, startRedis } from './redis-server.ts';
export { waitFor } from './wait-for.ts';
