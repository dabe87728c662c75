import { randomBytes } from 'node:crypto';

export interface SimulatedPod {
  readonly uuid: string;
  readonly userId: string;
  readonly workspaceUrl: string;
  replicas: number;
}

export type Call = 'create' | 'chat' | 'sleep' | 'wake' | 'delete' | 'status';

export interface JournalEntry {
  /** When it arrived, ms of the epoch. */
  readonly at: number;
  readonly call: Call;
  /** Of a create, the one it gave; empty until then. */
  uuid: string;
  readonly idempotencyKey: string;
  /** The trace that the call is part of, as W3C has it; empty where it is none's. */
  readonly traceparent: string;
  /** What was answered; 0 while it is not, or never. */
  status: number;
  doneAt: number;
  /** When it took effect, which a late call does after its answer; 0 while it has not, or never. */
  effectAt: number;
  /** When its connection was lost before it was answered; 0 where it was not. */
  lostAt: number;
}

/** Beyond it the older half is dropped: the simulation of an `npm start` may run for weeks. */
const LONGEST_JOURNAL = 200_000;

/** The pods and the journal of every call, in memory. */
export class Pods {
  readonly journal: JournalEntry[] = [];
  readonly #pods = new Map<string, SimulatedPod>();

  get(uuid: string): SimulatedPod | undefined {
    return this.#pods.get(uuid);
  }

  list(): SimulatedPod[] {
    return [...this.#pods.values()];
  }

  record(entry: JournalEntry): void {
    if (this.journal.length >= LONGEST_JOURNAL) this.journal.splice(0, LONGEST_JOURNAL / 2);
    this.journal.push(entry);
  }

  plant(userId: string, uuid = randomBytes(4).toString('hex'), replicas = 1): SimulatedPod {
    const pod = { uuid, userId, workspaceUrl: `https://${uuid}.workspaces.example`, replicas };
    this.#pods.set(uuid, pod);
    return pod;
  }

  /** The effect of a call; false where there is no such pod. */
  apply(call: Call, uuid: string): boolean {
    const pod = this.#pods.get(uuid);
    if (!pod) return false;
    if (call === 'sleep') pod.replicas = 0;
    if (call === 'wake') pod.replicas = 1;
    if (call === 'delete') this.#pods.delete(uuid);
    return true;
  }
}
