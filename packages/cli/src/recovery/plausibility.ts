import { CommandFailure, EXIT } from '../exit.ts';
import type { PodReading } from './status-reader.ts';

/** The number of sessions that are read before any of them is changed. */
export const SAMPLE_SIZE = 20;
/** The fewest missing pods that count as a wrong address, if it is known that other pods exist. */
const MIN_GONE = 5;

const FORCE_HINT = 'if it is right all the same, use --force';

/**
 * Checks whether the session-manager's answers can be true. A session-manager at a wrong address knows none of our pods; without
 * this check all of their sessions would be taken for deleted.
 */
export class Plausibility {
  readonly #force: boolean;
  readonly #counts: Record<PodReading['kind'], number> = { awake: 0, asleep: 0, gone: 0, unread: 0 };
  #error = '';

  /** @param force turns the check off */
  constructor(force: boolean) {
    this.#force = force;
  }

  /** Counts an answer. */
  note(reading: PodReading): void {
    this.#counts[reading.kind]++;
    if (reading.kind === 'unread') this.#error = reading.error;
  }

  /**
   * Checks the answers counted so far: fails if all sessions are unread, if all are gone, or if more than half of at least
   * {@link SAMPLE_SIZE} are gone.
   *
   * @param known it is known from elsewhere that some pods exist; then fewer than {@link MIN_GONE} missing pods pass
   * @throws CommandFailure that says what to check
   */
  check(known = false): void {
    const { awake, asleep, gone, unread } = this.#counts;
    const asked = awake + asleep + gone + unread;
    if (this.#force || asked === 0) return;
    if (unread === asked) {
      throw new CommandFailure(
        EXIT.unreachable,
        `the session-manager says nothing about any of ${asked} sessions (${this.#error}): is it up, and are SESSION_MANAGER_URL and SESSION_MANAGER_API_KEY right? To go on without it, use --force`,
      );
    }
    const none = awake + asleep === 0 && gone > 0 && (!known || gone >= MIN_GONE);
    if (none || (asked >= SAMPLE_SIZE && gone > asked / 2)) {
      throw new CommandFailure(
        EXIT.failed,
        `the session-manager knows nothing of ${gone} of ${asked} sessions: is SESSION_MANAGER_URL right? None was written off; ${FORCE_HINT}`,
      );
    }
  }
}
