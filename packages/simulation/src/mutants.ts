/** A mistake made on purpose: replaces text of the production code (or of the simulated Redis). */
export interface Mutant {
  readonly name: string;
  /** The rule of docs/reliability.md that it takes out. */
  readonly rule: string;
  /** The path of the file below `packages/`. */
  readonly file: string;
  readonly edits: readonly (readonly [find: string, replace: string])[];
  /** The first seed to try, where the default one would take many histories until a promise is broken. */
  readonly from?: number;
}

const DECIDE = 'core/src/decide.ts';
const OUTCOMES = 'core/src/outcomes.ts';
const REQUESTS = 'core/src/requests.ts';
const DEADLINES = 'core/src/deadlines.ts';
const RECONCILER = 'lifecycle/src/reconciler.ts';
const POD_CALL = 'lifecycle/src/pod-call.ts';
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
  {
    name: 'own-token-is-a-conflict',
    rule: "a conflict that shows one's own token is a success",
    file: POD_CALL,
    edits: [
      ['await latest.commit({ patch: { ...wanted', 'const { kind } = await latest.commit({ patch: { ...wanted'],
      ['if (begun?.token !== token) return;', "if (kind !== 'committed' || !begun) return;"],
    ],
    from: 11_842,
  },
  mutant(
    'commits-leave-no-mark',
    'a commit that draws alarms leaves a mark',
    STORE,
    'if (alarms) state.unarmed.set(uuid, now);',
    '',
    11_935,
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
    'patch: { ...patch, ...asleep, ...wanted }, alarms: true',
    'patch: { ...patch, ...asleep, ...wanted }, alarms: false',
  ),
  mutant(
    'a-shorter-policy-draws-no-number',
    'what makes work due earlier draws a new number',
    REQUESTS,
    'return { patch: { policy, policyRank, policyAt: now, noticeUntil }, alarms: true };',
    'return { patch: { policy, policyRank, policyAt: now, noticeUntil }, alarms: false };',
    11_021,
  ),
  mutant(
    'a-delete-draws-no-number',
    'what makes work due earlier draws a new number',
    REQUESTS,
    "{ patch: { wanted: 'gone', cause, graceUntil: 0, ...HEALTHY }, alarms: true }",
    "{ patch: { wanted: 'gone', cause, graceUntil: 0, ...HEALTHY }, alarms: false }",
    11_011,
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
    "return { kind: 'again', ms: nextRingAt(record, name, decision.until, now) - now };",
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
    11_065,
  ),
  mutant('no-lock', 'one call in flight', DECIDE, "if (record.action !== '') {", 'if (false) {'),
  mutant(
    'the-lease-is-not-renewed',
    'a lease is renewed while the call runs',
    POD_CALL,
    'store.renew(uuid, token, LEASE_MS).catch((error) => observer.failed(error, uuid));',
    '',
    11_331,
  ),
  mutant(
    'a-permit-after-the-commit',
    'permits are obtained before the commit',
    POD_CALL,
    'const outcome = circuit.recordAndCorrect(',
    'await system.pause(system.random() * 3_000);\n    const outcome = circuit.recordAndCorrect(',
  ),
  mutant(
    'a-paused-process-sends-a-stale-call',
    'the owner checks its clock before it sends',
    POD_CALL,
    'if (latest.lateNow() - sentAt > STALE_MS) {',
    'if (false) {',
    21_941,
  ),
  mutant(
    'a-result-is-dropped-when-somebody-touched',
    'a refused result is applied again',
    POD_CALL,
    "if (result.kind === 'conflict') continue;",
    "if (result.kind === 'conflict') return;",
    11_006,
  ),
  mutant(
    'no-look-before-a-retry',
    'a retry never repeats the old decision',
    RECONCILER,
    'const decision = decide(record, now);',
    "const decision: Decision =\n        record.failures > 0 && record.cause === 'activity' && record.pod === 'unknown' ? { kind: 'act', action: 'sleep' } : decide(record, now);",
    11_027,
  ),
  mutant(
    'a-time-out-is-no-doubt',
    'an unknown outcome is a doubt',
    OUTCOMES,
    "if (outcome.kind === 'unknown') return { ...retry, ...doubt(record, now, bounds) };",
    "if (outcome.kind === 'unknown') return retry;",
    11_139,
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
    11_016,
  ),
  mutant(
    'a-definite-answer-ends-the-doubt',
    'only a status read in time ends a doubt',
    OUTCOMES,
    'return { ...FREE, ...settledPod(record, RESULT[action], now), ...(',
    'return { ...FREE, ...settledPod(record, RESULT[action], now), verifyAt: 0, ...(',
    11_224,
  ),
  mutant(
    'sleeps-in-doubt',
    'no idle sleep in doubt',
    DECIDE,
    "record.pod === 'awake' && record.verifyAt === 0;",
    "record.pod === 'awake';",
    12_969,
  ),
  mutant(
    'doubts-are-not-verified',
    'doubts are verified',
    DECIDE,
    "if (record.wanted !== 'gone' && record.verifyAt !== 0 && now >=",
    'if (record.verifyAt < 0 && now >=',
  ),
  mutant(
    'a-new-life-forgets-the-doubt',
    'a PUT keeps a doubt',
    REQUESTS,
    'const verifyAt = former?.verifyAt ?? 0;',
    'const verifyAt = 0;',
    11_400,
  ),
  mutant(
    'sleeps-before-the-wake-was-served',
    'no idle sleep while the pod is not awake',
    DECIDE,
    "record.wanted === 'awake' && record.pod === 'awake' && record.verifyAt",
    "record.wanted === 'awake' && record.verifyAt",
    11_116,
  ),
  mutant(
    'activity-during-the-sleep-call-is-lost',
    "a user's activity always wins",
    REQUESTS,
    "if (record.wanted !== 'asleep') return { patch, alarms: false };",
    "if (record.wanted !== 'asleep' || record.pod !== 'asleep') return { patch, alarms: false };",
    11_072,
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
    'return exponentialBackoff({',
    'return failures > 5 ? 1e9 : exponentialBackoff({',
    11_081,
  ),
  mutant('the-end-of-a-gap-is-no-activity', 'the end of a gap counts as activity', DEADLINES, ', intake.gapEndedAt)', ')'),
  mutant(
    'silence-while-nobody-can-ping',
    'silence counts only where somebody could ping',
    'core/src/intake.ts',
    'return lastHeartbeat >= at;',
    'return true;',
  ),
  mutant(
    'a-frozen-heartbeat-counts',
    'a heartbeat carries its time',
    STORE,
    'const open = now - sentAt <= HEARTBEAT_STALE_MS;',
    'const open = sentAt > 0;',
    32_108,
  ),
  mutant('no-sweep', 'a lost alarm is found', 'lifecycle/src/sweep.ts', 'if (suspects.length === 0) return;', 'return;', 11_122),
  mutant(
    'policies-are-applied-before-others-are-heard',
    'a process that starts changes no policy before it has heard which are in force',
    'lifecycle/src/shared-policies.ts',
    'return policyRank < this.rank ? this.#current.successor(policy) : null;',
    'return this.rank === 0 || policyRank < this.rank ? this.#current.successor(policy) : null;',
    11_535,
  ),
  mutant(
    'older-policies-replace-newer-ones',
    'a process that lags behind changes no policy back',
    'lifecycle/src/shared-policies.ts',
    'return policyRank < this.rank ? this.#current.successor(policy) : null;',
    'return this.rank > 0 ? this.#current.successor(policy) : null;',
    11_035,
  ),
  mutant(
    'a-change-of-policy-waits-for-no-heartbeat',
    'what a change of policy makes due waits for a heartbeat after it',
    DECIDE,
    'const vouchedFrom = (at: number) => Math.max(at, record.policyAt);',
    'const vouchedFrom = (at: number) => at;',
    11_243,
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
    'record.wokenAt, intake.gapEndedAt)',
    'intake.gapEndedAt)',
  ),
  mutant(
    'one-404-is-believed',
    'a 404 is confirmed before it ends a session',
    OUTCOMES,
    'if (sentAt >= confirmAt) return tombstone(',
    'if (confirmAt > 0) return tombstone(',
    11_041,
  ),
  mutant(
    'a-404-for-a-new-pod-is-believed',
    'a 404 ends no session within 30 s of its tracking',
    OUTCOMES,
    'return Math.max((missingSince || now) + CONFIRM_MS, createdAt + YOUNG_MS);',
    'return Math.max((missingSince || now) + CONFIRM_MS, createdAt);',
    11_041,
  ),
  mutant(
    'a-retry-after-is-obeyed-without-bound',
    'a Retry-After is bounded',
    OUTCOMES,
    'Math.min(outcome.retryAfter, longest)',
    'outcome.retryAfter',
    11_068,
  ),
  mutant(
    'a-returning-user-waits-for-a-retry-after',
    'a Retry-After of a sleep does not hold up the wake after it',
    REQUESTS,
    'notBefore: Math.min(record.notBefore, now + USER_WAIT_MS)',
    'notBefore: record.notBefore',
    11_189,
  ),
  mutant(
    'what-others-change-is-not-found',
    'a patrol finds pods that others changed',
    'lifecycle/src/patrol.ts',
    "if (seen === 'unread' || seen === record.pod)",
    'if (seen)',
    11_031,
  ),
  mutant(
    'a-manual-wake-trusts-what-was-known',
    'a manual wake is answered by what was found out since',
    REQUESTS,
    "return statusOf(record) === 'active' && (record.verifyAt === 0 || record.wokenAt >= since);",
    "return statusOf(record) === 'active' && since > 0;",
    11_177,
  ),
  mutant(
    'a-connection-opens-after-the-commit',
    'a decision does not wait for its connection',
    POD_CALL,
    'await this.#send(connection, begun, action)',
    'await this.#send(await this.#options.pods.open(), begun, action)',
    11_061,
  ),
  mutant(
    'broken-pods-open-the-circuit',
    'failures of some sessions hold up no other',
    'lifecycle/src/circuit-breaker.ts',
    'if (answers) this.#since.failing.clear();',
    '',
    11_007,
  ),
  {
    name: 'a-heartbeat-from-the-future-counts',
    rule: 'a heartbeat from the future says nothing',
    file: STORE,
    edits: [
      ['const fromTheFuture = state.intake.lastHeartbeat > now;', 'const fromTheFuture = false;'],
      ['const intake = { ...state.intake, lastHeartbeat: knownHeartbeat(state.intake.lastHeartbeat, now) };', 'const { intake } = state;'],
    ],
    from: 11_011,
  },
  mutant(
    'what-redis-forgot-is-believed',
    'what Redis may have forgotten is in doubt',
    DECIDE,
    'intake.rewoundAt > Math.max(rewound, createdAt)',
    'false',
    11_691,
  ),
  mutant(
    'grace-ignores-the-return',
    "the user's return cancels a delete with a grace",
    REQUESTS,
    "return { wanted: 'awake', cause, ...HEALTHY, graceUntil: 0, noticeUntil: 0, notBefore:",
    "return { wanted: 'awake', cause, ...HEALTHY, noticeUntil: 0, notBefore:",
    11_044,
  ),
  mutant(
    'grace-ends-at-once',
    'a delete with a grace waits until the grace is over',
    DEADLINES,
    'return Math.max(graceUntil, rewoundAt + graceUntil - manualSleepAt) + lostTime - lostBefore;',
    'return manualSleepAt + lostTime - lostBefore;',
  ),
  mutant(
    'grace-never-ends',
    'a delete with a grace is carried out in time',
    DEADLINES,
    'return Math.max(graceUntil, rewoundAt + graceUntil - manualSleepAt) + lostTime - lostBefore;',
    'return Math.max(graceUntil, rewoundAt + graceUntil - manualSleepAt) + 86_400_000;',
    11_008,
  ),
  mutant(
    'logout-ignores-a-keep',
    'a logout does not delete a session that is kept',
    REQUESTS,
    "return effect && isKept(record, now) ? sleepByHand(record, now, 'logout') : effect;",
    'return effect;',
    11_095,
  ),
  mutant(
    'idle-delete-ignores-a-keep',
    'nothing is deleted while it is kept',
    DEADLINES,
    'const deleteAt = Math.max(idle.at, record.keepUntil);',
    'const deleteAt = idle.at;',
    11_047,
  ),
  mutant(
    'delete-is-warned-of-twice',
    'one delete is warned of once',
    DEADLINES,
    'return deleteAt >= warnedOf && deleteAt < warnedOf + deleteWarning;',
    'return deleteAt === warnedOf;',
    11_130,
  ),
  mutant(
    'shorter-policy-deletes-at-once',
    'a shorter policy deletes no session at once',
    REQUESTS,
    'deleteAt !== null && deleteAt <= now ? now +',
    'deleteAt === now + 1 ? now +',
  ),
  mutant(
    'sleep-by-hand-counts-from-the-sleep-before',
    'the delete of a session that is put to sleep while its wake fails is due deleteAfter later',
    REQUESTS,
    "record.pod === 'asleep' ? { sleptAt: now } : {}",
    '{}',
    13_965,
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
