import { STATUSES } from '@sandman/core';
import { type Static, Type } from 'typebox';

const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(type: T) => Type.Union([type, Type.Null()]);
const strict = { additionalProperties: false } as const;

const Time = Type.String({ description: 'ISO 8601, UTC, with milliseconds', examples: ['2026-11-24T08:00:00.000Z'] });
const Duration = Type.Union([Type.String(), Type.Integer()], { description: '500ms, 90s, 15m, 24h, 7d; a bare number is ms; 1ms to 365d' });

export const Uuid = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });
/**
 * Forbids half a surrogate pair, which Redis would not return unchanged, and `.` and `..`, which disappear from a URL's path.
 */
export const UserId = Type.String({ minLength: 1, maxLength: 255, pattern: '^(?!\\.{1,2}$)\\P{Cs}*$' });

const Status = Type.Enum([...STATUSES]);

export const PolicySchema = Type.Object({
  name: Type.String(),
  sleepAfter: Type.String(),
  deleteAfter: Type.String(),
  backgroundCap: Type.String(),
});

/** A policy in a request. The schema checks only the outline; the core checks the rest and names the field that is wrong. */
const AskedPolicy = Type.Union([
  Type.String({ description: "a policy's name" }),
  Type.Object({}, { description: '{sleepAfter, deleteAfter, backgroundCap?}: durations, or never' }),
]);

export const SessionSchema = Type.Object({
  uuid: Type.String(),
  userId: Type.String(),
  workspaceUrl: nullable(Type.String()),
  status: Status,
  policy: PolicySchema,
  createdAt: Time,
  lastActivity: Time,
  sleepAt: nullable(Time),
  sleptAt: nullable(Time),
  deleteAt: nullable(Time),
  holdUntil: nullable(Time),
  problem: nullable(Type.Object({ since: Time, failures: Type.Integer(), lastError: Type.String() })),
});
export type Session = Static<typeof SessionSchema>;

export const ProblemSchema = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  code: Type.String(),
});
export type Problem = Static<typeof ProblemSchema>;

const Kind = Type.Enum(['user', 'background']);
const ActivityFields = { at: Type.Optional(Time), kind: Type.Optional(Kind) };

export const CreateBody = Type.Object({ userId: UserId, policy: Type.Optional(AskedPolicy) }, strict);
export const AdoptBody = Type.Object(
  { userId: UserId, workspaceUrl: Type.Optional(Type.String({ maxLength: 2048 })), policy: Type.Optional(AskedPolicy) },
  strict,
);
export const PatchBody = Type.Object({ policy: AskedPolicy }, strict);
export const ActivityBody = Type.Object(ActivityFields, strict);
export const HoldBody = Type.Object({ for: Type.Optional(Duration), until: Type.Optional(Time) }, strict);
export const ChatBody = Type.Object({ message: Type.Unknown() }, strict);

/** One event of a batch. Each is checked by itself, so that a malformed event is rejected without the others. */
export const EventSchema = Type.Object({ uuid: Type.Optional(Uuid), userId: Type.Optional(UserId), ...ActivityFields }, strict);
/** A batch. Its events are checked one by one against {@link EventSchema}. */
export const BatchBody = Type.Object({ events: Type.Array(Type.Unknown(), { maxItems: 1_000 }) }, strict);
export const BatchAnswer = Type.Object({
  accepted: Type.Integer(),
  rejected: Type.Array(Type.Object({ index: Type.Integer(), code: Type.String() })),
});

export const ListQuery = Type.Object(
  {
    userId: Type.Optional(UserId),
    status: Type.Optional(Status),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: 100 })),
    cursor: Type.Optional(Type.String({ maxLength: 2_048 })),
  },
  strict,
);
export const ListAnswer = Type.Object({ items: Type.Array(SessionSchema), nextCursor: nullable(Type.String()) });
export const ItemsAnswer = Type.Object({ items: Type.Array(SessionSchema) });
export const PoliciesAnswer = Type.Object({ default: Type.String(), items: Type.Array(PolicySchema) });
export const HistoryAnswer = Type.Object({
  items: Type.Array(Type.Object({ at: Time, from: nullable(Status), to: Status, cause: Type.String() })),
});

const Seconds = Type.Number({ minimum: 0 });
const SavedFields = {
  awakeSeconds: Seconds,
  asleepSeconds: Seconds,
  alwaysOnSeconds: Type.Number({ minimum: 0, description: 'each pod from its creation until now, deleted or not' }),
  savedFraction: Type.Number({ description: '1 - awake / always-on' }),
  sleeps: Type.Integer(),
  wakes: Type.Integer(),
  regrets: Type.Integer({ description: 'wakes within 5 minutes of an idle sleep' }),
  cost: Type.Optional(Type.Object({ awake: Type.Number(), saved: Type.Number() })),
};
const SavedSchema = Type.Object(SavedFields);
export type Saved = Static<typeof SavedSchema>;
const SpellFields = {
  ...SavedFields,
  deletes: Type.Integer(),
  recreations: Type.Integer({ description: 'the user came back to a deleted pod' }),
};
const ShadowSchema = Type.Object({
  ...SpellFields,
  asIs: Type.Object(SpellFields, { description: "the same time, by the sessions' own policies" }),
});
export type Shadow = Static<typeof ShadowSchema>;
export const SavingsSchema = Type.Object({
  ...SavedFields,
  byPolicy: Type.Record(Type.String(), SavedSchema),
  shadows: Type.Optional(
    Type.Record(Type.String(), ShadowSchema, {
      description: 'what the policies of SHADOW_POLICIES would have made of the time between activities, until the last one',
    }),
  ),
});
export type Savings = Static<typeof SavingsSchema>;

export const WakeQuery = Type.Object({ wait: Type.Optional(Type.String({ description: 'at most 120s' })) }, strict);
export const UuidParams = Type.Object({ uuid: Uuid });
export const UserParams = Type.Object({ userId: UserId });
