import type { Selection, State } from './state.ts';

/** After this long without an event the stream counts as dead, in ms. An overview or a trouble arrives about once per second. */
const STREAM_DEAD_MS = 5_000;

/** The part of the state that a stream changes. */
export type StateUpdate = Partial<Pick<State, 'overview' | 'page' | 'opened' | 'trouble' | 'ahead' | 'link'>>;

/** Keeps the state of the page up to date over one event stream. While the page is hidden there is no stream. */
export class LiveUpdates {
  readonly #update: (news: StateUpdate) => void;
  #selection: Selection | null = null;
  #source: EventSource | null = null;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(tell: (news: StateUpdate) => void) {
    this.#update = tell;
    // A browser opens six connections per host: the streams of six hidden pages would leave none for buttons.
    document.addEventListener('visibilitychange', () => {
      if (!this.#selection) return;
      if (document.visibilityState === 'visible') this.open(this.#selection);
      else this.#leave();
    });
  }

  open(selection: Selection): void {
    this.#leave();
    this.#selection = selection;
    const { find, status, session, cursors } = selection;
    const address = `/api/live?${new URLSearchParams({ find, status, session, cursor: cursors.at(-1) ?? '' })}`;
    const source = new EventSource(address);
    this.#source = source;
    this.#update({ link: 'connecting' });
    this.#restartTimer(selection);
    const on = (event: string, take: (data: never) => StateUpdate) => {
      source.addEventListener(event, ({ data }) => {
        this.#restartTimer(selection);
        this.#update({ link: 'live', ...take(JSON.parse(data) as never) });
      });
    };
    on('overview', (overview: NonNullable<State['overview']>) => ({ overview, trouble: null, ahead: overview.now - Date.now() }));
    on('page', (page) => ({ page }));
    on('opened', (opened) => ({ opened }));
    on('trouble', (trouble) => ({ trouble }));
    source.addEventListener('error', () => {
      if (this.#source !== source) return;
      // The browser stops retrying only if the answer was not an event stream.
      if (source.readyState === EventSource.CLOSED) this.#readRefusal(address, source, selection);
      else this.#update({ link: 'lost' });
    });
  }

  #leave(): void {
    this.#source?.close();
    this.#source = null;
    clearTimeout(this.#silence);
  }

  /** Restarts the timer that opens a new stream if no event arrives: a connection may be dead without having been closed. */
  #restartTimer(selection: Selection): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.open(selection);
      this.#update({ link: 'lost' });
    }, STREAM_DEAD_MS);
  }

  async #readRefusal(address: string, source: EventSource, selection: Selection): Promise<void> {
    const stop = new AbortController();
    const answer = await fetch(address, { signal: stop.signal }).catch(() => null);
    const problem = answer && !answer.ok ? ((await answer.json().catch(() => ({}))) as { detail?: string }) : null;
    stop.abort();
    // Another stream was opened meanwhile.
    if (this.#source !== source) return;
    if (answer?.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    else if (problem) {
      this.#update({ link: 'refused', trouble: problem.detail ?? `HTTP ${answer?.status}` });
      clearTimeout(this.#silence);
      this.#silence = setTimeout(() => this.open(selection), STREAM_DEAD_MS);
    } else this.#update({ link: 'lost' });
  }
}
