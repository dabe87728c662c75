import {
  type AlarmClock,
  type AlarmName,
  alarmNamesOf,
  alarmsOf,
  alarmsToSet,
  type LiveReading,
  type SessionRecord,
  type SessionStore,
} from '@sandman/core';

/** What arms the alarms that a commit drew. */
export class Arming {
  readonly #store: SessionStore;
  readonly #clock: AlarmClock;

  constructor(store: SessionStore, clock: AlarmClock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Adds the jobs that the record's alarm number stands for, takes its mark away, and removes those of `older`.
   * Adding twice is harmless; dying in between leaves the mark, and whoever watches the marks comes here again.
   *
   * @param older the record before the number was drawn
   * @param ringing the alarm that rings just now: its job ends by itself
   */
  async arm({ record, now }: LiveReading, older: SessionRecord | null = null, ringing?: AlarmName): Promise<void> {
    const { uuid, n } = record;
    const alarms = alarmsToSet(record, now);
    await this.#clock.arm(uuid, n, alarms);
    const old = older && older.n !== n ? { n: older.n, names: alarmNamesOf(older).filter((name) => name !== ringing) } : null;
    const [valid] = await Promise.all([this.#store.unmark(uuid, n), old && this.#clock.disarm(uuid, old.n, old.names)]);
    // Somebody drew a newer number while we armed, and looked for these jobs before they were there.
    const names = alarms.map(({ name }) => name);
    if (!valid) await this.#clock.disarm(uuid, n, names);
  }

  /** Moves out the alarms whose deadlines a touch moved by more than the slack. */
  async follow({ record, now }: LiveReading, moved: { readonly sleep: boolean; readonly delete: boolean }): Promise<void> {
    if (!moved.sleep && !moved.delete) return;
    const { uuid, n } = record;
    const due = alarmsOf(record, now).filter(({ name }) => name !== 'wake' && moved[name]);
    const found = await Promise.all(due.map(({ name, at }) => this.#clock.move({ name, uuid, n }, at)));
    if (found.includes(false)) await this.arm({ record, now });
  }

  /**
   * Finishes what a crash between commit and arm left.
   *
   * @param age of a mark, in ms
   * @param failed told of a session that could not be armed; its mark stays, and the others are armed all the same
   * @returns how many there were
   */
  async finish(age: number, failed: (error: unknown) => void): Promise<number> {
    const marks = await this.#store.marked(age);
    for (const { uuid } of marks) await this.#finish(uuid).catch(failed);
    return marks.length;
  }

  async #finish(uuid: string): Promise<void> {
    const { record, now } = await this.#store.read(uuid);
    if (record) await this.arm({ record, now });
    else await this.#store.unmark(uuid, 0);
  }
}
