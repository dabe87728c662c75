import type { LogNormal } from './distributions.ts';

/** Describes how the users of a kind of service behave. The figures in `WORKLOADS` are assumptions, not measurements. */
export interface Workload {
  /** Days from the first visit to the last on which the user may come, on average. */
  readonly life: number;
  /** How likely the user comes on one of these days, 0 to 1. */
  readonly returns: number;
  /** How likely a visit is on a weekend day, relative to a weekday; above 0, at most 1. */
  readonly weekend: number;
  /** Relative weights of the 24 hours in which visits begin, UTC. */
  readonly hours: readonly number[];
  /** Visits on a day with at least one, on average. */
  readonly visits: number;
  /** Messages in a visit, on average. */
  readonly messages: number;
  /** The time between two messages of a visit, ms. */
  readonly gap: LogNormal;
  /** Share of sessions that end with a logout, 0 to 1. */
  readonly logouts: number;
  /** Share of visits with background signals during and after them, 0 to 1: from a tab left open, or an agent at work. */
  readonly tabs: number;
  /** The time between two such signals, ms. */
  readonly signalEvery: number;
  /** How long the signals go on after the last message, ms. */
  readonly tabStays: LogNormal;
}

const MINUTE_MS = 60_000;

const EVENING = [3, 2, 1, 1, 1, 1, 2, 3, 4, 4, 5, 5, 6, 5, 5, 5, 6, 7, 8, 9, 10, 9, 7, 5];
const OFFICE = [0, 0, 0, 0, 0, 0, 1, 4, 9, 10, 10, 9, 5, 8, 9, 9, 8, 5, 2, 1, 1, 0, 0, 0];
const SHOP = [1, 1, 1, 1, 1, 1, 2, 4, 7, 9, 10, 9, 8, 8, 9, 9, 8, 8, 7, 6, 5, 4, 3, 2];
const LATE = [3, 2, 1, 1, 0, 0, 0, 1, 4, 8, 9, 9, 6, 8, 9, 9, 9, 8, 6, 5, 6, 7, 6, 4];

/** The workloads by name. */
export const WORKLOADS = {
  /** Private chats: evenings and weekends, some days a week. */
  chat: {
    life: 20,
    returns: 0.35,
    weekend: 1,
    hours: EVENING,
    visits: 1.4,
    messages: 10,
    gap: { median: 75_000, sigma: 1.1 },
    logouts: 0.05,
    tabs: 0.25,
    signalEvery: 5 * MINUTE_MS,
    tabStays: { median: 40 * MINUTE_MS, sigma: 1 },
  },
  /** An office assistant: in use all day, on working days. */
  assistant: {
    life: 60,
    returns: 0.8,
    weekend: 0.1,
    hours: OFFICE,
    visits: 4,
    messages: 6,
    gap: { median: 90_000, sigma: 1.2 },
    logouts: 0.02,
    tabs: 0.5,
    signalEvery: 5 * MINUTE_MS,
    tabStays: { median: 120 * MINUTE_MS, sigma: 1 },
  },
  /** Questions of customers: short visits, and few users come back. */
  support: {
    life: 2,
    returns: 0.2,
    weekend: 0.4,
    hours: SHOP,
    visits: 1.1,
    messages: 7,
    gap: { median: 40_000, sigma: 0.9 },
    logouts: 0.3,
    tabs: 0.1,
    signalEvery: 5 * MINUTE_MS,
    tabStays: { median: 15 * MINUTE_MS, sigma: 1 },
  },
  /** Coding with an agent: long visits, with long gaps while the agent works and sends signals. */
  coding: {
    life: 10,
    returns: 0.6,
    weekend: 0.4,
    hours: LATE,
    visits: 2,
    messages: 25,
    gap: { median: 240_000, sigma: 1.3 },
    logouts: 0.05,
    tabs: 0.6,
    signalEvery: 2 * MINUTE_MS,
    tabStays: { median: 30 * MINUTE_MS, sigma: 1 },
  },
} as const satisfies Record<string, Workload>;

export type WorkloadName = keyof typeof WORKLOADS;
