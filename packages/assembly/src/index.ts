export { type Assembly, assemble } from './assembly.ts';
export { admit, connect, type RedisData } from './connection.ts';
