export type { ActivityStats } from './activity-sender.ts';
export type {
  ActivityKind,
  Change,
  Duration,
  Policies,
  Policy,
  Saved,
  Savings,
  Session,
  SessionPage,
  Shadow,
  Spent,
  Status,
} from './api-types.ts';
export { type CloseOptions, SandmanClient } from './client.ts';
export type { Drop, DroppedEvent } from './drops.ts';
export { type ErrorCode, SandmanError } from './errors.ts';
export type { EventsOptions, ResetEvent, SandmanEvent, StatusEvent } from './events.ts';
export type { ActivityTime, AskedPolicy, DeleteOptions, HoldEnd, KeepEnd, LogoutOptions } from './inputs.ts';
export type { ActivityBounds, SandmanClientOptions } from './options.ts';
export type { ListFilter, Sessions } from './sessions.ts';
