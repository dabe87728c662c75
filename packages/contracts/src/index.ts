export { savingsView } from './savings-view.ts';
export * from './schemas.ts';
export { sessionView } from './session-view.ts';
