/**
 * The bodies, queries and answers of the API. The API validates with them and publishes them in `/openapi.json`;
 * `npm run client:types` writes the client's types from them. A `description` is a text in both.
 */
import { STATUSES } from '@sandman/core';
import { type Static, Type } from 'typebox';

const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(type: T, description?: string) =>
  Type.Union([type, Type.Null()], description === undefined ? {} : { description });
const strict = { additionalProperties: false } as const;

const time = (description = 'ISO 8601, UTC, with milliseconds.') => Type.String({ description, examples: ['2026-11-24T08:00:00.000Z'] });
const Time = time();
export const Duration = Type.Union([Type.String(), Type.Integer()], {
  description: '`500ms`, `90s`, `15m`, `24h`, `7d`; a bare number is milliseconds. From 1 ms to 365 d.',
});

export const Uuid = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });
/**
 * Forbids half a surrogate pair, which Redis would not return unchanged, and `.` and `..`, which disappear from a URL's path.
 */
export const UserId = Type.String({ minLength: 1, maxLength: 255, pattern: '^(?!\\.{1,2}$)\\P{Cs}*$' });

export const Status = Type.Enum([...STATUSES]);

export const PolicySchema = Type.Object(
  {
    name: Type.String({ description: '`custom` if the caller gave durations instead of a name.' }),
    sleepAfter: Type.String({ description: 'Idle time before sleep.' }),
    deleteAfter: Type.String({ description: 'Time asleep before delete; if `sleepAfter` is `never`, idle time before delete.' }),
    backgroundCap: Type.String({
      description: "How long after the user's last activity background activity still postpones sleep.",
    }),
  },
  { description: 'Each time is a duration or `never`.' },
);

/** A policy in a request. The schema checks only the outline; the core checks the rest and names the field that is wrong. */
const AskedPolicy = Type.Union([
  Type.String({ description: "a policy's name" }),
  Type.Object({}, { description: '{sleepAfter, deleteAfter, backgroundCap?}: durations, or never' }),
]);

export const SessionSchema = Type.Object(
  {
    uuid: Type.String(),
    userId: Type.String(),
    workspaceUrl: nullable(Type.String()),
    status: Status,
    policy: PolicySchema,
    createdAt: Time,
    lastActivity: time("The user's last activity; background activity does not change it."),
    sleepAt: nullable(Time, 'When it will be put to sleep if no activity arrives.'),
    sleptAt: nullable(Time),
    deleteAt: nullable(Time, 'When it will be deleted if no activity arrives.'),
    holdUntil: nullable(Time),
    keepUntil: nullable(Time, 'Until when it is not deleted.'),
    problem: nullable(
      Type.Object({ since: Time, failures: Type.Integer(), lastError: Type.String() }),
      'Set while calls to the session-manager for this session keep failing.',
    ),
  },
  { description: 'Times are ISO 8601, UTC, with milliseconds. A field that does not apply is null.' },
);
export type Session = Static<typeof SessionSchema>;

export const ProblemSchema = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  code: Type.String(),
});
export type Problem = Static<typeof ProblemSchema>;

export const ActivityKind = Type.Enum(['user', 'background'], {
  description:
    '`user`: a person acted. `background`: an agent or an open tab; wakes nothing, and postpones sleep only up to `backgroundCap`.',
});
const ActivityFields = { at: Type.Optional(Time), kind: Type.Optional(ActivityKind) };

export const CreateBody = Type.Object({ userId: UserId, policy: Type.Optional(AskedPolicy) }, strict);
export const AdoptBody = Type.Object(
  { userId: UserId, workspaceUrl: Type.Optional(Type.String({ maxLength: 2048 })), policy: Type.Optional(AskedPolicy) },
  strict,
);
export const PatchBody = Type.Object({ policy: AskedPolicy }, strict);
export const ActivityBody = Type.Object(ActivityFields, strict);
export const SpanBody = Type.Object({ for: Type.Optional(Duration), until: Type.Optional(Time) }, strict);
export const ChatBody = Type.Object({ message: Type.Unknown() }, strict);

/** One event of a batch. Each is checked by itself, so that a malformed event is rejected without the others. */
export const EventSchema = Type.Object({ uuid: Type.Optional(Uuid), userId: Type.Optional(UserId), ...ActivityFields }, strict);
/** A batch. Its events are checked one by one against {@link EventSchema}. */
export const BatchBody = Type.Object({ events: Type.Array(Type.Unknown(), { maxItems: 1_000 }) }, strict);
export const BatchAnswer = Type.Object(
  { accepted: Type.Integer(), rejected: Type.Array(Type.Object({ index: Type.Integer(), code: Type.String() })) },
  { description: 'The result of a batch of activity.' },
);

export const ListQuery = Type.Object(
  {
    userId: Type.Optional(UserId),
    status: Type.Optional(Status),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: 100 })),
    cursor: Type.Optional(Type.String({ maxLength: 2_048 })),
  },
  strict,
);
export const ListAnswer = Type.Object({
  items: Type.Array(SessionSchema),
  nextCursor: nullable(Type.String(), 'The cursor of the next page; null on the last page.'),
});
export const ItemsAnswer = Type.Object({ items: Type.Array(SessionSchema) });
export const PoliciesAnswer = Type.Object(
  {
    default: Type.String({ description: 'The name of the policy of a session that is created without one.' }),
    items: Type.Array(PolicySchema),
  },
  {
    description:
      '`deleteAfter` decides what a user finds who returns after a weekend. The preset `balanced` deletes a pod that has slept for 24 h, and `aggressive` one that has slept for 1 h: a user who leaves on Friday finds it deleted on Monday. `conservative` keeps it for 7 days, and `{"sleepAfter": "15m", "deleteAfter": "30d"}` for a month.',
  },
);
export const ChangeSchema = Type.Object(
  {
    at: Time,
    from: nullable(Status, 'Null for the first change of a session.'),
    to: Status,
    cause: Type.String({
      description: '`created`, `adopted`, `activity`, `idle`, `manual`, `logout`, `delete-due`, `gone` or `restored`.',
    }),
  },
  { description: "A change of a session's status." },
);
export const HistoryAnswer = Type.Object({ items: Type.Array(ChangeSchema) });

const Seconds = Type.Number({ minimum: 0 });
const SavedFields = {
  awakeSeconds: Seconds,
  asleepSeconds: Seconds,
  alwaysOnSeconds: Type.Number({
    minimum: 0,
    description: "The time from each pod's creation until now, as if none were ever put to sleep or deleted.",
  }),
  savedFraction: Type.Number({ description: '1 − awake / always-on.' }),
  sleeps: Type.Integer(),
  wakes: Type.Integer(),
  regrets: Type.Integer({ description: 'Sessions woken within 5 minutes of an idle sleep.' }),
  cost: Type.Optional(
    Type.Object(
      { awake: Type.Number(), saved: Type.Number() },
      { description: 'Present only if Sandman is configured with the cost of a pod.' },
    ),
  ),
};
export const SavedSchema = Type.Object(SavedFields);
export type Saved = Static<typeof SavedSchema>;
const SpentFields = {
  ...SavedFields,
  deletes: Type.Integer(),
  recreations: Type.Integer({ description: 'How often a user came back after the pod had been deleted.' }),
};
export const SpentSchema = Type.Object(SpentFields, {
  description: 'Usage under a policy, counted over the periods between activities.',
});
export type Spent = Static<typeof SpentSchema>;
export const ShadowSchema = Type.Object(
  { ...SpentFields, asIs: SpentSchema },
  { description: "What a shadow policy would have done in these periods. `asIs` is what the sessions' real policies did in them." },
);
export type Shadow = Static<typeof ShadowSchema>;
export const SavingsSchema = Type.Object({
  ...SavedFields,
  byPolicy: Type.Record(Type.String(), SavedSchema),
  shadows: Type.Optional(Type.Record(Type.String(), ShadowSchema, { description: 'Results of the shadow policies, by name.' })),
});
export type Savings = Static<typeof SavingsSchema>;

const Grace = Type.Union([Type.String(), Type.Integer()], {
  description:
    'Puts the pod to sleep now and deletes it after this time (1 ms to 30 d), unless its user comes back before. Without it the delete is immediate.',
});
export const DeleteQuery = Type.Object(
  {
    grace: Type.Optional(Grace),
    force: Type.Optional(Type.Boolean({ description: 'Deletes a session that is kept.' })),
  },
  strict,
);
export const LogoutBody = Type.Object({ grace: Type.Optional(Grace) }, strict);
export const WakeQuery = Type.Object({ wait: Type.Optional(Type.String({ description: 'at most 120s' })) }, strict);
export const UuidParams = Type.Object({ uuid: Uuid });
export const UserParams = Type.Object({ userId: UserId });
