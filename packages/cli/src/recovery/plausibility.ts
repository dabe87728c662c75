import { CommandFailure, EXIT } from '../exit.ts';
import type { PodReading } from './status-reader.ts';

/** So many are asked before anything is done about any of them. */
export const SAMPLE = 20;
/** Fewer that are gone say nothing, where others are known to be there. */
const FEW = 5;

const GO_ON = 'if it is right all the same, say --force';

/**
 * Whether what the session-manager answers can be true of a fleet that was there a moment ago. One at a wrong address knows
 * none of our pods, and must not write the fleet off.
 */
export class Plausibility {
  readonly #force: boolean;
  readonly #counts: Record<PodReading['kind'], number> = { awake: 0, asleep: 0, gone: 0, unread: 0 };
  #error = '';

  /** @param force whether everything is to be believed */
  constructor(force: boolean) {
    this.#force = force;
  }

  note(reading: PodReading): void {
    this.#counts[reading.kind]++;
    if (reading.kind === 'unread') this.#error = reading.error;
  }

  /**
   * @param known whether it is certain otherwise that some pods are there
   * @throws CommandFailure where it cannot be true
   */
  check(known = false): void {
    const { awake, asleep, gone, unread } = this.#counts;
    const asked = awake + asleep + gone + unread;
    if (this.#force || asked === 0) return;
    if (unread === asked) {
      throw new CommandFailure(
        EXIT.unreachable,
        `the session-manager says nothing about any of ${asked} sessions (${this.#error}): is it up, and are SESSION_MANAGER_URL and SESSION_MANAGER_API_KEY right? To go on without it, say --force`,
      );
    }
    const none = awake + asleep === 0 && gone > 0 && (!known || gone >= FEW);
    if (none || (asked >= SAMPLE && gone > asked / 2)) {
      throw new CommandFailure(
        EXIT.failed,
        `the session-manager knows nothing of ${gone} of ${asked} sessions: is SESSION_MANAGER_URL right? None was written off; ${GO_ON}`,
      );
    }
  }
}
