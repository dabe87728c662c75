export { type ChatAnswer, SessionManagerClient, type SessionManagerOptions, wasSent } from './client.ts';
