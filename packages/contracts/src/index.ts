export { PROBLEM_TYPE, type ProblemCode, ProblemError, problem, problemOf, RETRY_AFTER_S } from './problems.ts';
export { savingsView } from './savings-view.ts';
export * from './schemas.ts';
export { sessionView } from './session-view.ts';
export { WEBHOOK_TYPES, type WebhookEvent, WebhookSchema, type WebhookType } from './webhook.ts';
