export { type AppProcess, startApp } from './app-process.ts';
export { type Certificate, makeCertificate, opensslFound } from './certificate.ts';
export { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
export { embeddedRedis, type FoundRedis, redisForTests } from './find-redis.ts';
export { lacks } from './part.ts';
export { type RedisCluster, startRedisCluster } from './redis-cluster.ts';
export { startSentinel, type WatchedRedis } from './redis-sentinel.ts';
export { askRedis, freePort, type RedisServer, redisKnows, startRedis } from './redis-server.ts';
export { waitFor } from './wait-for.ts';
