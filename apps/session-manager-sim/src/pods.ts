import { randomBytes } from 'node:crypto';

export interface SimulatedPod {
  readonly uuid: string;
  readonly userId: string;
  readonly workspaceUrl: string;
  replicas: number;
}

export type SimulatedCallName = 'create' | 'chat' | 'sleep' | 'wake' | 'delete' | 'status';

export interface LoggedCall {
  /** When the call arrived, in ms of the epoch, as all times here. */
  readonly at: number;
  readonly call: SimulatedCallName;
  /** The session of the call; for a create empty until the pod exists. */
  uuid: string;
  readonly idempotencyKey: string;
  /** The W3C `traceparent` header of the call; empty if there is none. */
  readonly traceparent: string;
  /** The status of the answer; 0 while there is none. */
  status: number;
  doneAt: number;
  /** When the call took effect, for a late call after its answer; 0 while it has not. */
  effectAt: number;
  /** When the connection was lost before the answer; 0 if it was not. */
  lostAt: number;
}

/** The length at which the older half of the call log is dropped: the simulation in `npm start` may run for weeks. */
const LONGEST_CALL_LOG = 200_000;

/** Keeps the pods and the log of all calls in memory. */
export class Pods {
  readonly callLog: LoggedCall[] = [];
  readonly #pods = new Map<string, SimulatedPod>();

  get(uuid: string): SimulatedPod | undefined {
    return this.#pods.get(uuid);
  }

  list(): SimulatedPod[] {
    return [...this.#pods.values()];
  }

  record(entry: LoggedCall): void {
    if (this.callLog.length >= LONGEST_CALL_LOG) this.callLog.splice(0, LONGEST_CALL_LOG / 2);
    this.callLog.push(entry);
  }

  add(userId: string, uuid = randomBytes(4).toString('hex'), replicas = 1): SimulatedPod {
    const pod = { uuid, userId, workspaceUrl: `https://${uuid}.workspaces.example`, replicas };
    this.#pods.set(uuid, pod);
    return pod;
  }

  /** Applies a call to its pod. Returns false if there is no such pod. */
  apply(call: SimulatedCallName, uuid: string): boolean {
    const pod = this.#pods.get(uuid);
    if (!pod) return false;
    if (call === 'sleep') pod.replicas = 0;
    if (call === 'wake') pod.replicas = 1;
    if (call === 'delete') this.#pods.delete(uuid);
    return true;
  }
}
