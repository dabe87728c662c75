import { type Static, Type } from 'typebox';
import { SessionSchema } from './schemas.ts';

export const WEBHOOK_TYPES = ['session.sleep-warning', 'session.slept', 'session.woken', 'session.deleted', 'session.gone'] as const;
export type WebhookType = (typeof WEBHOOK_TYPES)[number];

/** The body of a POST to `WEBHOOK_URL`. */
export const WebhookSchema = Type.Object({
  type: Type.Enum([...WEBHOOK_TYPES]),
  timestamp: Type.String({ description: 'When it happened: ISO 8601, UTC, with milliseconds' }),
  data: Type.Object({ session: SessionSchema, cause: Type.Optional(Type.String()) }),
});
export type WebhookEvent = Static<typeof WebhookSchema>;
