/** A mistake made on purpose: replaces text of the production code (or of the simulated Redis). */
export interface Mutant {
  readonly name: string;
  /** The rule of docs/reliability.md that it takes out. */
  readonly rule: string;
  /** The path of the file below `packages/`. */
  readonly file: string;
  readonly edits: readonly (readonly [find: string, replace: string])[];
  /** The first seed for a mutant that would take thousands of histories; it is caught soon after this one. */
  readonly from?: number;
}

const LOOK = 'core/src/look.ts';
const OUTCOMES = 'core/src/outcomes.ts';
const REQUESTS = 'core/src/requests.ts';
const DEADLINES = 'core/src/deadlines.ts';
const RECONCILER = 'lifecycle/src/reconciler.ts';
const STORE = 'simulation/src/memory-store.ts';

function mutant(name: string, rule: string, file: string, find: string, replace: string, from?: number): Mutant {
  return { name, rule, file, edits: [[find, replace]], ...(from === undefined ? {} : { from }) };
}

/** A mutant for each rule, and for the classic mistakes. */
export const MUTANTS: readonly Mutant[] = [
  mutant(
    'commits-without-compare',
    'a decision is committed against rev',
    STORE,
    "if ((stored?.rev ?? 0) !== (base?.rev ?? 0) || (stored?.token ?? '') !== (base?.token ?? ''))",
    'if (false)',
  ),
  mutant(
    'own-token-is-a-conflict',
    "a conflict that shows one's own token is a success",
    RECONCILER,
    'if (begun.record?.token !== token) return begun;',
    "if (begun.kind !== 'committed') return begun;",
  ),
  mutant(
    'commits-leave-no-mark',
    'a commit that draws alarms leaves a mark',
    STORE,
    'if (alarms) state.unarmed.set(uuid, now);',
    '',
    11_391,
  ),
  mutant(
    'nobody-looks-for-marks',
    'every worker finishes what a crash left unarmed',
    'lifecycle/src/arming.ts',
    'const marks = await this.#store.marked(age);',
    'const marks: { uuid: string }[] = [];',
    11_911,
  ),
  mutant('alarm-numbers-repeat', 'an alarm number never repeats', STORE, 'n: Math.max((stored?.n ?? 0) + 1, now)', 'n: stored?.n || now'),
  mutant(
    'a-sleep-by-hand-draws-no-number',
    'what makes work due earlier draws a new number',
    REQUESTS,
    "cause: 'manual', lostBefore: record.ingest.lost, ...HEALTHY }, alarms: true",
    "cause: 'manual', lostBefore: record.ingest.lost, ...HEALTHY }, alarms: false",
  ),
  mutant(
    'a-shorter-policy-draws-no-number',
    'what makes work due earlier draws a new number',
    REQUESTS,
    'return { patch: { policy, policyRank, policyAt: now }, alarms: true };',
    'return { patch: { policy, policyRank, policyAt: now }, alarms: false };',
  ),
  mutant(
    'a-delete-draws-no-number',
    'what makes work due earlier draws a new number',
    REQUESTS,
    "{ patch: { wanted: 'gone', cause, ...HEALTHY }, alarms: true }",
    "{ patch: { wanted: 'gone', cause, ...HEALTHY }, alarms: false }",
  ),
  mutant(
    'alarms-moved-by-an-old-clock',
    'a delay is computed in the tick that sets it',
    'lifecycle/src/arming.ts',
    'this.#clock.move({ name, uuid, n }, at)',
    'this.#clock.move({ name, uuid, n }, at + 30_000)',
  ),
  mutant(
    'a-job-completes-too-soon',
    'no job completes while its record needs it',
    RECONCILER,
    "return { kind: 'again', ms: restingPlace(record, name, decision.until, now) - now };",
    'return COMPLETED;',
  ),
  mutant(
    'a-delete-counts-as-served',
    'no job completes while its record needs it',
    'core/src/alarms.ts',
    "if (name !== 'sleep' || record.wanted !== 'asleep'",
    "if (record.wanted !== 'asleep'",
  ),
  mutant(
    'stalls-use-themselves-up',
    'a job that stalled runs again, however often',
    'simulation/src/memory-alarms.ts',
    'else this.#delay(job.ref, this.#timeline.now);',
    'else this.#jobs.delete(idOf(job.ref));',
  ),
  mutant('no-lock', 'one call in flight', LOOK, "if (record.action !== '') {", 'if (false) {'),
  mutant(
    'the-lease-is-not-renewed',
    'a lease is renewed while the call runs',
    RECONCILER,
    'store.renew(uuid, token, LEASE_MS).catch((error) => observer.failed(error, uuid));',
    '',
  ),
  mutant(
    'a-permit-after-the-commit',
    'permits are obtained before the commit',
    RECONCILER,
    'const outcome = circuit.judge(',
    'await surroundings.pause(surroundings.chance() * 3_000);\n    const outcome = circuit.judge(',
  ),
  mutant(
    'a-paused-process-sends-a-stale-call',
    'the owner checks its clock before it sends',
    RECONCILER,
    'if (surroundings.elapsed() - committedAt > STALE_MS) {',
    'if (false) {',
    20_771,
  ),
  mutant(
    'a-result-is-dropped-when-somebody-touched',
    'a refused result is applied again',
    RECONCILER,
    '      current = result;\n',
    '      return result;\n',
  ),
  mutant(
    'no-look-before-a-retry',
    'a retry never repeats the old decision',
    RECONCILER,
    'const decision = look(record, now);',
    "const decision: Decision =\n        record.failures > 0 && record.cause === 'activity' && record.pod === 'unknown' ? { kind: 'act', action: 'sleep' } : look(record, now);",
  ),
  mutant(
    'a-time-out-is-no-doubt',
    'an unknown outcome is a doubt',
    OUTCOMES,
    "if (outcome.kind === 'unknown') return { ...retry, ...doubt(record, now, bounds) };",
    "if (outcome.kind === 'unknown') return retry;",
    11_131,
  ),
  mutant(
    'a-takeover-is-no-doubt',
    'a lease that ran out is a doubt',
    OUTCOMES,
    "return record.action === 'status' ? FREE : { ...FREE, ...doubt(record, now, bounds) };",
    'return FREE;',
    12_681,
  ),
  mutant(
    'the-earlier-doubt-wins',
    'of two doubts the later one stays',
    OUTCOMES,
    'verifyAt: Math.max(record.verifyAt, now + bounds.doubt) };\n}\n\n/** What an owner',
    'verifyAt: record.verifyAt || now + bounds.doubt };\n}\n\n/** What an owner',
  ),
  mutant(
    'a-definite-answer-ends-the-doubt',
    'only a status read in time ends a doubt',
    OUTCOMES,
    'return { ...FREE, ...settled(record, RESULT[action], now), ...(',
    'return { ...FREE, ...settled(record, RESULT[action], now), verifyAt: 0, ...(',
    11_211,
  ),
  mutant(
    'sleeps-in-doubt',
    'no idle sleep in doubt',
    LOOK,
    "record.pod === 'awake' && record.verifyAt === 0;",
    "record.pod === 'awake';",
    12_961,
  ),
  mutant(
    'doubts-are-not-verified',
    'doubts are verified',
    LOOK,
    "if (record.wanted !== 'gone' && record.verifyAt !== 0 && now >=",
    'if (record.verifyAt < 0 && now >=',
  ),
  mutant(
    'a-new-life-forgets-the-doubt',
    'a PUT keeps a doubt',
    REQUESTS,
    'const verifyAt = former?.verifyAt ?? 0;',
    'const verifyAt = 0;',
    11_391,
  ),
  mutant(
    'sleeps-before-the-wake-was-served',
    'no idle sleep while the pod is not awake',
    LOOK,
    "record.wanted === 'awake' && record.pod === 'awake' && record.verifyAt",
    "record.wanted === 'awake' && record.verifyAt",
  ),
  mutant(
    'activity-during-the-sleep-call-is-lost',
    "a user's activity always wins",
    REQUESTS,
    "if (record.wanted !== 'asleep') return { patch, alarms: false };",
    "if (record.wanted !== 'asleep' || record.pod !== 'asleep') return { patch, alarms: false };",
    11_041,
  ),
  mutant(
    'activity-on-a-deleting-session-is-taken',
    'what is being deleted refuses activity',
    REQUESTS,
    "if (status === 'deleted' || (status === 'deleting' && !deleting))",
    "if (status === 'deleted')",
  ),
  mutant('a-ping-writes-nothing', 'what is acknowledged is written', STORE, '        [field]: when,\n', ''),
  mutant('a-clock-of-ones-own', 'one clock', STORE, 'Math.min(at ?? ceiling, ceiling)', '(at ?? ceiling)'),
  mutant('holds-are-ignored', 'a hold keeps awake', DEADLINES, 'background, record.holdUntil);', 'background);'),
  mutant(
    'gives-up-after-five-failures',
    'nothing gives up',
    OUTCOMES,
    'return Math.round(full * (1 - chance / 4));',
    'return failures > 5 ? 1e9 : Math.round(full * (1 - chance / 4));',
    11_081,
  ),
  mutant('the-end-of-a-gap-is-no-activity', 'the end of a gap counts as activity', DEADLINES, ', ingest.floor)', ')'),
  mutant(
    'silence-while-nobody-can-ping',
    'silence counts only where somebody could ping',
    'core/src/ingest.ts',
    'return beat >= at;',
    'return true;',
  ),
  mutant(
    'a-frozen-heartbeat-counts',
    'a heartbeat carries its time',
    STORE,
    'const open = now - sentAt <= BEAT_STALE_MS;',
    'const open = sentAt > 0;',
    22_041,
  ),
  mutant('no-sweep', 'a lost alarm is found', 'lifecycle/src/sweep.ts', 'if (suspects.length === 0) return;', 'return;'),
  mutant(
    'policies-are-applied-before-others-are-heard',
    'a process that starts changes no policy before it has heard which are in force',
    'lifecycle/src/policies-in-use.ts',
    'return policyRank < this.rank ? this.#book.successor(policy) : null;',
    'return this.rank === 0 || policyRank < this.rank ? this.#book.successor(policy) : null;',
  ),
  mutant(
    'older-policies-replace-newer-ones',
    'a process that lags behind changes no policy back',
    'lifecycle/src/policies-in-use.ts',
    'return policyRank < this.rank ? this.#book.successor(policy) : null;',
    'return this.rank > 0 ? this.#book.successor(policy) : null;',
  ),
  mutant(
    'a-change-of-policy-waits-for-no-heartbeat',
    'what a change of policy makes due waits for a heartbeat after it',
    LOOK,
    'const vouchedFrom = (at: number) => Math.max(at, record.policyAt);',
    'const vouchedFrom = (at: number) => at;',
  ),
  mutant(
    'a-preset-replaces-what-a-version-leaves-out',
    'silence about a policy changes no session',
    'core/src/policy.ts',
    'Object.hasOwn(this.further, name) ? this.get(name) : undefined;',
    'this.get(name);',
  ),
  mutant(
    'the-end-of-a-wake-is-no-activity',
    'the end of a wake counts as activity',
    DEADLINES,
    'record.wokenAt, ingest.floor)',
    'ingest.floor)',
  ),
  mutant(
    'one-404-is-believed',
    'a 404 is confirmed before it ends a session',
    OUTCOMES,
    'if (sentAt >= confirmAt) return burial(',
    'if (confirmAt > 0) return burial(',
  ),
  mutant(
    'a-404-for-a-new-pod-is-believed',
    'a 404 ends no session within 30 s of its tracking',
    OUTCOMES,
    'return Math.max((missingSince || now) + CONFIRM_MS, createdAt + YOUNG_MS);',
    'return Math.max((missingSince || now) + CONFIRM_MS, createdAt);',
  ),
  mutant(
    'a-retry-after-is-obeyed-without-bound',
    'a Retry-After is bounded',
    OUTCOMES,
    'Math.min(outcome.retryAfter, longest)',
    'outcome.retryAfter',
  ),
  mutant(
    'a-returning-user-waits-for-a-retry-after',
    'a Retry-After of a sleep does not hold up the wake after it',
    REQUESTS,
    'notBefore: Math.min(record.notBefore, now + USER_WAIT_MS)',
    'notBefore: record.notBefore',
  ),
  mutant(
    'what-others-change-is-not-found',
    'a patrol finds pods that others changed',
    'lifecycle/src/patrol.ts',
    "if (seen === 'unread' || seen === record.pod)",
    'if (seen)',
  ),
  mutant(
    'a-manual-wake-trusts-what-was-known',
    'a manual wake is answered by what was found out since',
    REQUESTS,
    "return statusOf(record) === 'active' && (record.verifyAt === 0 || record.wokenAt >= since);",
    "return statusOf(record) === 'active' && since > 0;",
  ),
  mutant(
    'a-connection-opens-after-the-commit',
    'a decision does not wait for its connection',
    RECONCILER,
    'await this.#send(connection, seen.record, action)',
    'await this.#send(await this.#on.pods.open(), seen.record, action)',
  ),
  mutant(
    'broken-pods-open-the-circuit',
    'failures of some sessions hold up no other',
    'lifecycle/src/circuit.ts',
    'if (answers) this.#since.failing.clear();',
    '',
  ),
  {
    name: 'a-heartbeat-from-the-future-counts',
    rule: 'a heartbeat from the future says nothing',
    file: STORE,
    edits: [
      ['const fromTheFuture = state.ingest.beat > now;', 'const fromTheFuture = false;'],
      ['const ingest = { ...state.ingest, beat: knownBeat(state.ingest.beat, now) };', 'const { ingest } = state;'],
    ],
  },
  mutant(
    'what-redis-forgot-is-believed',
    'what Redis may have forgotten is in doubt',
    LOOK,
    'ingest.rewound > Math.max(rewound, createdAt)',
    'false',
    11_691,
  ),
];

/** The ten mutants whose rules matter most to users. `npm test` runs them; `full/mutants.test.ts` runs the others. */
export const MAIN_MUTANTS: ReadonlySet<string> = new Set([
  'commits-without-compare',
  'commits-leave-no-mark',
  'a-delete-draws-no-number',
  'a-job-completes-too-soon',
  'no-lock',
  'a-time-out-is-no-doubt',
  'sleeps-in-doubt',
  'activity-during-the-sleep-call-is-lost',
  'gives-up-after-five-failures',
  'the-end-of-a-gap-is-no-activity',
]);

/**
 * Applies a mutant to the source of its file.
 *
 * @throws Error if its text does not occur exactly once: the mutant would test nothing
 */
export function mutate({ name, edits }: Mutant, source: string): string {
  return edits.reduce((text, [find, replace]) => {
    if (text.split(find).length !== 2) throw new Error(`the mutant ${name} does not fit the code any more: ${JSON.stringify(find)}`);
    return text.replace(find, () => replace);
  }, source);
}
