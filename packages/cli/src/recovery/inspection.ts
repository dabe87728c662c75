import { setTimeout as wait } from 'node:timers/promises';
import type { SessionRecord } from '@sandman/core';
import type { Ledger, LedgerSession } from '@sandman/ledger';
import { type Finding, findingOf } from './finding.ts';
import { AT_ONCE, inLanes } from './lanes.ts';
import { isLiving, pagesOf } from './ledger-rows.ts';
import { type Plausibility, SAMPLE } from './plausibility.ts';
import type { PodReading, StatusReader } from './status-reader.ts';

/** How long a fault must last to be one, in ms: the ledger follows Redis within a second or two, and calls are under way. */
const CONFIRM_MS = 3_000;

export interface InspectionParts {
  readonly ledger: Pick<Ledger, 'sessions' | 'find'>;
  /** Null where Redis cannot be asked, or does not know it. */
  readonly recordOf: (uuid: string) => Promise<SessionRecord | null>;
  readonly reader: StatusReader;
  readonly plausibility: Plausibility;
  /** Deleted ones are looked at where the ledger heard of it since then, ms. */
  readonly since: number;
  /** ms */
  readonly clock: () => number;
  /** Told after each session. */
  readonly counted: () => void;
}

/** Compares what sessions should be with what the session-manager says of their pods, twice before it calls anything a fault. */
export class Inspection {
  readonly findings: Finding[] = [];
  /** Those whose status could not be read. */
  readonly unread: string[] = [];
  asked = 0;
  readonly #on: InspectionParts;
  readonly #suspects: string[] = [];

  constructor(parts: InspectionParts) {
    this.#on = parts;
  }

  /**
   * @param signal ends it early
   * @throws CommandFailure where the session-manager's answers cannot be true
   */
  async run(signal: AbortSignal): Promise<void> {
    const { plausibility, clock, counted } = this.#on;
    await inLanes(this.#candidates(), AT_ONCE, signal, async (session) => {
      const reading = await this.#on.reader.read(session.uuid);
      if (signal.aborted) return;
      this.asked++;
      // Of deleted ones nothing else is expected than that they are gone.
      if (isLiving(session)) plausibility.note(reading);
      if (this.asked >= SAMPLE) plausibility.check();
      if (reading.kind === 'unread') this.unread.push(session.uuid);
      else if (findingOf(session, null, reading, clock())) this.#suspects.push(session.uuid);
      counted();
    });
    plausibility.check();
    if (this.#suspects.length === 0) return;
    await wait(CONFIRM_MS, undefined, { signal }).catch(() => {});
    await inLanes(this.#suspects.values(), AT_ONCE, signal, (uuid) => this.#confirm(uuid));
    this.findings.sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
  }

  async *#candidates(): AsyncGenerator<LedgerSession> {
    const { ledger, since } = this.#on;
    for await (const page of pagesOf(ledger)) {
      for (const session of page) if (isLiving(session) || session.updatedAt >= since) yield session;
    }
  }

  async #confirm(uuid: string): Promise<void> {
    const { ledger, recordOf, reader, clock } = this.#on;
    const reading: PodReading = await reader.read(uuid);
    // After the pod: what was decided about it before that reading is written by now.
    const [[session], record] = await Promise.all([ledger.find([uuid]), recordOf(uuid)]);
    const finding = session && findingOf(session, record, reading, clock());
    if (reading.kind === 'unread') this.unread.push(uuid);
    else if (finding) this.findings.push(finding);
  }
}
