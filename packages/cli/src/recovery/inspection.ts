import { setTimeout as wait } from 'node:timers/promises';
import type { SessionRecord } from '@sandman/core';
import type { Ledger, LedgerSession } from '@sandman/ledger';
import { forEachConcurrently } from '../for-each-concurrently.ts';
import { type AuditFinding, findingOf } from './finding.ts';
import { isLiving, pagesOf } from './ledger-rows.ts';
import { type Plausibility, SAMPLE_SIZE } from './plausibility.ts';
import { type PodReading, READS_IN_FLIGHT, type StatusReader } from './status-reader.ts';

/** Time between the two looks at a fault, in ms. The ledger is a second or two behind Redis, and calls may be in flight. */
const RECHECK_MS = 3_000;

export interface InspectionParts {
  readonly ledger: Pick<Ledger, 'sessions' | 'find'>;
  /** Reads a record; null if Redis cannot be reached or does not know the session. */
  readonly recordOf: (uuid: string) => Promise<SessionRecord | null>;
  readonly reader: StatusReader;
  readonly plausibility: Plausibility;
  /** Deleted sessions are inspected only if their row was updated since this time, in ms of the epoch. */
  readonly since: number;
  /** Returns ms of the epoch. */
  readonly clock: () => number;
  /** Called after each session. */
  readonly counted: () => void;
}

/** Compares sessions with the statuses of their pods. Only what is wrong twice, 3 s apart, is a finding. */
export class Inspection {
  readonly findings: AuditFinding[] = [];
  /** Sessions whose pod's status could not be read. */
  readonly unread: string[] = [];
  asked = 0;
  readonly #options: InspectionParts;
  readonly #recheck: string[] = [];

  constructor(parts: InspectionParts) {
    this.#options = parts;
  }

  /**
   * Inspects all sessions of the ledger.
   *
   * @param signal ends it early
   * @throws CommandFailure if the session-manager's answers are implausible
   */
  async run(signal: AbortSignal): Promise<void> {
    const { plausibility, clock, counted } = this.#options;
    await forEachConcurrently(this.#candidates(), READS_IN_FLIGHT, signal, async (session) => {
      const reading = await this.#options.reader.read(session.uuid);
      if (signal.aborted) return;
      this.asked++;
      // The pods of deleted sessions are gone anyway, so they do not count for plausibility.
      if (isLiving(session)) plausibility.note(reading);
      if (this.asked >= SAMPLE_SIZE) plausibility.check();
      if (reading.kind === 'unread') this.unread.push(session.uuid);
      else if (findingOf(session, null, reading, clock())) this.#recheck.push(session.uuid);
      counted();
    });
    plausibility.check();
    if (this.#recheck.length === 0) return;
    await wait(RECHECK_MS, undefined, { signal }).catch(() => {});
    await forEachConcurrently(this.#recheck.values(), READS_IN_FLIGHT, signal, (uuid) => this.#confirm(uuid));
    this.findings.sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
  }

  async *#candidates(): AsyncGenerator<LedgerSession> {
    const { ledger, since } = this.#options;
    for await (const page of pagesOf(ledger)) {
      for (const session of page) if (isLiving(session) || session.updatedAt >= since) yield session;
    }
  }

  async #confirm(uuid: string): Promise<void> {
    const { ledger, recordOf, reader, clock } = this.#options;
    const reading: PodReading = await reader.read(uuid);
    // Read after the pod's status, so that a change decided before that reading is already written.
    const [[session], record] = await Promise.all([ledger.find([uuid]), recordOf(uuid)]);
    const finding = session && findingOf(session, record, reading, clock());
    if (reading.kind === 'unread') this.unread.push(uuid);
    else if (finding) this.findings.push(finding);
  }
}
