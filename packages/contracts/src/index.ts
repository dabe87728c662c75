export * from './schemas.ts';
export { sessionView } from './session-view.ts';
