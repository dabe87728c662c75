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
  readonly uuid: string;
  readonly idempotencyKey: string;
  /** What was answered; 0 while it is not, or never. */
  status: number;
  doneAt: number;
}

/** The pods and the journal of every call, in memory. */
export class Pods {
  readonly journal: JournalEntry[] = [];
  readonly #pods = new Map<string, SimulatedPod>();

  get(uuid: string): SimulatedPod | undefined {
    return this.#pods.get(uuid);
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
