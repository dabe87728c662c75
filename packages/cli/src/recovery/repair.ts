import { randomUUID } from 'node:crypto';
import { SandmanError, statusOf } from '@sandman/core';
import { reasonOf } from '@sandman/ledger';
import { SessionService, unchanging } from '@sandman/lifecycle';
import { system } from '@sandman/runtime';
import type { DirectConnections } from '../direct-connections.ts';
import { type AuditFinding, keptUntil, type PodFault } from './finding.ts';
import { writeDeletionToLedger } from './ledger-deletion.ts';

/** How long to wait for a worker, in ms. */
const PATIENCE_MS = 15_000;
const POLL_MS = 100;

/** How a repair ended. */
export interface RepairResult {
  readonly done: boolean;
  readonly text: string;
}

/** Repairs the findings of an audit. A worker reads the pod's status and does what the record wants; a leaked pod is deleted here. */
export class AuditRepair {
  readonly #options: DirectConnections;
  readonly #sessions: SessionService;

  constructor(connections: DirectConnections) {
    this.#options = connections;
    const { store, alarms, policies } = connections;
    this.#sessions = new SessionService({ store, alarms, policies: unchanging(policies.default), system, unarmed: () => {} });
  }

  /** Repairs one finding. Never throws. */
  async repairFinding(finding: AuditFinding): Promise<RepairResult> {
    const ways: Record<PodFault, () => Promise<RepairResult>> = {
      leaked: () => this.#remove(finding.uuid),
      gone: () => this.#verify(finding),
      'awake though asleep': () => this.#verify(finding),
      'asleep though awake': () => this.#verify(finding),
    };
    try {
      return await ways[finding.fault]();
    } catch (error) {
      return { done: false, text: reasonOf(error) };
    }
  }

  async #verify({ uuid, fault }: AuditFinding): Promise<RepairResult> {
    const { store, ledger, shardState } = this.#options;
    const { record, now: from } = await store.read(uuid);
    if (record === null) {
      if (fault !== 'gone') return { done: false, text: 'Redis does not know it: sandman restore --merge first' };
      const { now } = await shardState.readShardOf(uuid);
      const [session] = await ledger.find([uuid]);
      if (session) await writeDeletionToLedger(ledger, session, now);
      return { done: true, text: 'the ledger has it as deleted now' };
    }
    try {
      if (record.verifyAt > from + PATIENCE_MS) {
        return {
          done: false,
          text: `a worker looks at ${new Date(record.verifyAt).toISOString()}, when no earlier call can land any more`,
        };
      }
      await this.#sessions.verify(uuid, PATIENCE_MS);
      return await this.#settled(uuid);
    } catch (error) {
      if (!(error instanceof SandmanError)) throw error;
      return { done: true, text: 'a worker found it gone: it is deleted now' };
    }
  }

  async #settled(uuid: string): Promise<RepairResult> {
    for (const deadline = performance.now() + PATIENCE_MS; ; ) {
      const { record } = await this.#options.store.read(uuid);
      if (!record || record.pod === 'gone') return { done: true, text: 'a worker found it gone: it is deleted now' };
      if (record.verifyAt === 0 && record.pod === record.wanted)
        return { done: true, text: `a worker has seen to it: ${statusOf(record)}` };
      if (performance.now() > deadline) return { done: false, text: 'a worker was told, and has not seen to it yet: does one run?' };
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /**
   * Deletes a leaked pod, unless Redis or the ledger has the session alive: a session adopted again under this uuid uses the same
   * pod. Leaves the pod of a session that was kept when its pod was reported missing.
   */
  async #remove(uuid: string): Promise<RepairResult> {
    const { store, ledger, pods } = this.#options;
    const [session] = await ledger.find([uuid]);
    const { record, now } = await store.read(uuid);
    if (session?.status !== 'deleted' || (record && record.pod !== 'gone')) return { done: false, text: 'it lives again: left alone' };
    const kept = keptUntil(session, record, now);
    if (kept) return { done: false, text: `it is kept until ${kept}: left alone; PUT /v1/sessions/${uuid} tracks it again` };
    const outcome = await pods.call('delete', uuid, randomUUID());
    if (outcome.kind === 'done' || outcome.kind === 'gone') return { done: true, text: 'deleted at the session-manager' };
    return { done: false, text: `the session-manager did not delete it: ${outcome.error}` };
  }
}
