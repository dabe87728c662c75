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

/** Arms the alarms for which a commit drew a number. */
export class Arming {
  readonly #store: SessionStore;
  readonly #clock: AlarmClock;

  constructor(store: SessionStore, clock: AlarmClock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Adds the jobs that the record needs under its alarm number, removes its mark, and removes the jobs of `older`. Adding a
   * job twice is harmless. If the process dies in between, the mark remains, and the upkeep of any worker arms again.
   *
   * @param older the record before the number was drawn
   * @param ringing the alarm that rings now: its job ends by itself, so it is not removed
   */
  async arm({ record, now }: LiveReading, older: SessionRecord | null = null, ringing?: AlarmName): Promise<void> {
    const { uuid, n } = record;
    const alarms = alarmsToSet(record, now);
    await this.#clock.arm(uuid, n, alarms);
    const old = older && older.n !== n ? { n: older.n, names: alarmNamesOf(older).filter((name) => name !== ringing) } : null;
    const [valid] = await Promise.all([this.#store.unmark(uuid, n), old && this.#clock.disarm(uuid, old.n, old.names)]);
    // Another process drew a newer number meanwhile, and may have removed these jobs before they were added.
    const names = alarms.map(({ name }) => name);
    if (!valid) await this.#clock.disarm(uuid, n, names);
  }

  /** Moves the alarms whose deadlines a touch moved later by more than the slack. Arms them where one is missing. */
  async follow({ record, now }: LiveReading, moved: { readonly sleep: boolean; readonly delete: boolean }): Promise<void> {
    if (!moved.sleep && !moved.delete) return;
    const { uuid, n } = record;
    const due = alarmsOf(record, now).filter(({ name }) => name !== 'wake' && moved[name]);
    const found = await Promise.all(due.map(({ name, at }) => this.#clock.move({ name, uuid, n }, at)));
    if (found.includes(false)) await this.arm({ record, now });
  }

  /**
   * Arms the sessions whose marks remained, because a process died between a commit and its arming.
   *
   * @param age the least age of a mark, in ms
   * @param failed called for each session that could not be armed; its mark stays, and the others are armed all the same
   * @returns the number of marks
   */
  async finish(age: number, failed: (error: unknown) => void): Promise<number> {
    const marks = await this.#store.marked(age);
    for (const uuid of marks) await this.#finish(uuid).catch(failed);
    return marks.length;
  }

  async #finish(uuid: string): Promise<void> {
    const { record, now } = await this.#store.read(uuid);
    if (record) await this.arm({ record, now });
    else await this.#store.unmark(uuid, 0);
  }
}
