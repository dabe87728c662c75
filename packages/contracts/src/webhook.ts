import { type Static, Type } from 'typebox';
import { SessionSchema } from './schemas.ts';

export const WEBHOOK_TYPES = [
  'session.sleep-warning',
  'session.delete-warning',
  'session.slept',
  'session.woken',
  'session.deleted',
  'session.gone',
] as const;
export type WebhookType = (typeof WEBHOOK_TYPES)[number];

export const WebhookSchema = Type.Object(
  {
    type: Type.Enum([...WEBHOOK_TYPES]),
    timestamp: Type.String({ description: 'When it happened: ISO 8601, UTC, with milliseconds.' }),
    data: Type.Object({ session: SessionSchema, cause: Type.Optional(Type.String()) }),
  },
  { description: 'The body of a POST to `WEBHOOK_URL`. It may arrive late, or twice with the same `webhook-id`.' },
);
export type WebhookEvent = Static<typeof WebhookSchema>;
