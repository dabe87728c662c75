export { type ChatAnswer, SessionManagerClient, type SessionManagerOptions } from './client.ts';
