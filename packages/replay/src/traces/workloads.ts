import type { LogNormal } from './distributions.ts';

/**
 * Describes how the users of a kind of service behave. docs/cli.md names the source of each figure in `WORKLOADS`: a fleet that was
 * measured, or an assumption.
 */
export interface Workload {
  /** Days from the first visit to the last on which the user may come, on average. */
  readonly life: number;
  /**
   * How likely the user comes on one of these days, on average over the users, 0 to 1. Users differ: most come seldom and a few nearly
   * every day ({@link Calendar}).
   */
  readonly returns: number;
  /** How likely a visit is on a weekend day, relative to a weekday; above 0, at most 1. */
  readonly weekend: number;
  /** Relative weights of the 24 hours in which visits begin, UTC. */
  readonly hours: readonly number[];
  /** Visits on a day with at least one, on average. */
  readonly visits: number;
  /** Share of the visits with a single message, 0 to 1. */
  readonly single: number;
  /** Messages in a visit, on average; at least 2 in those with more than one. */
  readonly messages: number;
  /** The time between two messages of a visit, ms. A long gap divides the visit in two, as measurements see it. */
  readonly gap: LogNormal;
  /** Share of sessions that end with a logout, 0 to 1. */
  readonly logouts: number;
  /** What sends background signals: a tab that stays open during a visit and after it, or an agent at work after a message. */
  readonly signals: 'visit' | 'message';
  /** Share of the visits, or messages, that are followed by such signals, 0 to 1. */
  readonly tabs: number;
  /** The time between two such signals, ms. */
  readonly signalEvery: number;
  /** How long the signals go on after the last message of the visit, or after the message, ms. */
  readonly tabStays: LogNormal;
}

const MINUTE_MS = 60_000;

const EVENING = [3, 2, 1, 1, 1, 1, 2, 3, 4, 4, 5, 5, 6, 5, 5, 5, 6, 7, 8, 9, 10, 9, 7, 5];
const OFFICE = [0, 0, 0, 0, 0, 0, 1, 4, 9, 10, 10, 9, 5, 8, 9, 9, 8, 5, 2, 1, 1, 0, 0, 0];
const SHOP = [1, 1, 1, 1, 1, 1, 2, 4, 7, 9, 10, 9, 8, 8, 9, 9, 8, 8, 7, 6, 5, 4, 3, 2];
const LATE = [3, 2, 1, 1, 0, 0, 0, 1, 4, 8, 9, 9, 6, 8, 9, 9, 9, 8, 6, 5, 6, 7, 6, 4];

/** The workloads by name. */
export const WORKLOADS = {
  /** Private chats: evenings and weekends. Fitted to CollegeMsg in visits, messages, gaps and pauses. */
  chat: {
    life: 365,
    returns: 0.07,
    weekend: 1,
    hours: EVENING,
    visits: 1.6,
    single: 0.67,
    messages: 2.55,
    gap: { median: 175_000, sigma: 1.5 },
    logouts: 0.05,
    signals: 'visit',
    tabs: 0.25,
    signalEvery: 5 * MINUTE_MS,
    tabStays: { median: 40 * MINUTE_MS, sigma: 1 },
  },
  /** An office assistant: in use all day, on working days. Fitted to Slack racket in messages and gaps. */
  assistant: {
    life: 60,
    returns: 0.8,
    weekend: 0.1,
    hours: OFFICE,
    visits: 4,
    single: 0.56,
    messages: 3.2,
    gap: { median: 66_000, sigma: 1.6 },
    logouts: 0.02,
    signals: 'visit',
    tabs: 0.5,
    signalEvery: 5 * MINUTE_MS,
    tabStays: { median: 120 * MINUTE_MS, sigma: 1 },
  },
  /** Questions of customers: short visits, and few users come back. Fitted to Lean Zulip in messages and gaps. */
  support: {
    life: 2,
    returns: 0.2,
    weekend: 0.4,
    hours: SHOP,
    visits: 1.1,
    single: 0.6,
    messages: 2.75,
    gap: { median: 195_000, sigma: 1.8 },
    logouts: 0.3,
    signals: 'visit',
    tabs: 0.1,
    signalEvery: 5 * MINUTE_MS,
    tabStays: { median: 15 * MINUTE_MS, sigma: 1 },
  },
  /** Coding with an agent that works after each prompt. Fitted to the coding-agent chats in visits, messages, gaps, pauses and signals. */
  coding: {
    life: 100,
    returns: 0.12,
    weekend: 0.4,
    hours: LATE,
    visits: 2.7,
    single: 0.32,
    messages: 6.7,
    gap: { median: 150_000, sigma: 1.8 },
    logouts: 0.05,
    signals: 'message',
    tabs: 0.86,
    signalEvery: MINUTE_MS,
    tabStays: { median: MINUTE_MS, sigma: 1.4 },
  },
} as const satisfies Record<string, Workload>;

export type WorkloadName = keyof typeof WORKLOADS;
