import { Random } from '@sandman/core';
import type { TraceEvent } from '../line.ts';
import { Calendar, DAY_MS } from './calendar.ts';
import { geometric, logNormal, userChance } from './distributions.ts';
import type { Workload } from './workloads.ts';

/** What to generate. */
export interface TracePlan {
  readonly sessions: number;
  /** The start, ms since 1970. */
  readonly from: number;
  /** The length in days of 24 hours; there are no events after it. */
  readonly days: number;
  /** The same plan and seed make the same trace. */
  readonly seed: number;
  readonly workload: Workload;
}

/** @returns eight hex digits, different for each index: each step maps the 32-bit numbers one to one (the finalizer of MurmurHash3) */
function uuidOf(index: number, seed: number): string {
  let mixed = index ^ Math.imul(seed, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0).toString(16).padStart(8, '0');
}

/** Draws when the visits of a session begin, in order; ms since 1970. */
function visitStarts({ workload, days }: TracePlan, calendar: Calendar, random: Random): number[] {
  const first = calendar.firstDay(random);
  const end = Math.min(days, first + geometric(workload.life, random));
  const chance = userChance(workload.returns, random);
  const starts: number[] = [];
  for (let day = first; day < end; day++) {
    if (day > first && !calendar.comesBack(day, chance, random)) continue;
    for (let left = geometric(workload.visits, random); left > 0; left--) starts.push(calendar.instant(day, random));
  }
  return starts.sort((a, b) => a - b);
}

/** Draws how many messages a visit has. */
function visitLength({ single, messages }: Workload, random: Random): number {
  return random.chance(single) ? 1 : 1 + geometric((messages - single) / (1 - single) - 1, random);
}

/** Returns background signals from one time to another, both excluded; ms since 1970. */
function signalsBetween(uuid: string, from: number, to: number, every: number): TraceEvent[] {
  const signals: TraceEvent[] = [];
  for (let at = from + every; at < to; at += every) signals.push({ uuid, at, event: 'background' });
  return signals;
}

/** Generates the events of one session, in order of time. Skips a visit that would begin during the one before it. */
function sessionEvents(uuid: string, plan: TracePlan, calendar: Calendar, random: Random): TraceEvent[] {
  const { gap, signals, tabs, tabStays, signalEvery, logouts } = plan.workload;
  const end = plan.from + plan.days * DAY_MS;
  const events: TraceEvent[] = [];
  const starts = visitStarts(plan, calendar, random);
  let at = 0;
  for (const [visit, start] of starts.entries()) {
    if (start < at) continue;
    at = start;
    let last = start;
    for (let left = visitLength(plan.workload, random); left > 0 && at < end; left--) {
      events.push({ uuid, at, event: 'user' });
      last = at;
      at += Math.max(1, Math.round(logNormal(gap, random)));
      if (signals === 'message' && random.chance(tabs)) {
        events.push(...signalsBetween(uuid, last, Math.min(at, end, last + logNormal(tabStays, random)), signalEvery));
      }
    }
    const leaves = visit === starts.length - 1 && at < end && random.chance(logouts);
    if (leaves) events.push({ uuid, at, event: 'logout' });
    if (signals === 'message' || !random.chance(tabs)) continue;
    const next = starts[visit + 1] ?? end;
    const closes = leaves ? at : Math.min(Math.max(next, last), end, last + logNormal(tabStays, random));
    events.push(...signalsBetween(uuid, start, closes, signalEvery));
  }
  return events.sort((a, b) => a.at - b.at);
}

/** Generates a trace, one session at a time, so that a trace of any length needs little memory. Sessions are not in order of time. */
export function* generateTrace(plan: TracePlan): Generator<TraceEvent[]> {
  const random = new Random(plan.seed);
  const calendar = new Calendar(plan.from, plan.days, plan.workload);
  for (let index = 0; index < plan.sessions; index++) yield sessionEvents(uuidOf(index, plan.seed), plan, calendar, random);
}
