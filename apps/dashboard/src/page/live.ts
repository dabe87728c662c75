import type { Looking, State } from './state.ts';

/** After this long without an event the stream counts as dead, in ms. An overview or a trouble arrives about once per second. */
const SILENCE_MS = 5_000;

/** The part of the state that a stream changes. */
export type News = Partial<Pick<State, 'overview' | 'page' | 'opened' | 'trouble' | 'ahead' | 'link'>>;

/** Keeps the state of the page up to date over one event stream. While the page is hidden there is no stream. */
export class Live {
  readonly #tell: (news: News) => void;
  #looking: Looking | null = null;
  #source: EventSource | null = null;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(tell: (news: News) => void) {
    this.#tell = tell;
    // A browser opens six connections per host: the streams of six hidden pages would leave none for buttons.
    document.addEventListener('visibilitychange', () => {
      if (!this.#looking) return;
      if (document.visibilityState === 'visible') this.look(this.#looking);
      else this.#leave();
    });
  }

  look(looking: Looking): void {
    this.#leave();
    this.#looking = looking;
    const { find, status, session, cursors } = looking;
    const address = `/api/live?${new URLSearchParams({ find, status, session, cursor: cursors.at(-1) ?? '' })}`;
    const source = new EventSource(address);
    this.#source = source;
    this.#tell({ link: 'connecting' });
    this.#listen(looking);
    const on = (event: string, take: (data: never) => News) => {
      source.addEventListener(event, ({ data }) => {
        this.#listen(looking);
        this.#tell({ link: 'live', ...take(JSON.parse(data) as never) });
      });
    };
    on('overview', (overview: NonNullable<State['overview']>) => ({ overview, trouble: null, ahead: overview.now - Date.now() }));
    on('page', (page) => ({ page }));
    on('opened', (opened) => ({ opened }));
    on('trouble', (trouble) => ({ trouble }));
    source.addEventListener('error', () => {
      if (this.#source !== source) return;
      // The browser stops retrying only if the answer was not an event stream.
      if (source.readyState === EventSource.CLOSED) this.#askWhy(address, source, looking);
      else this.#tell({ link: 'lost' });
    });
  }

  #leave(): void {
    this.#source?.close();
    this.#source = null;
    clearTimeout(this.#silence);
  }

  /** Restarts the timer that opens a new stream if no event arrives: a connection may be dead without having been closed. */
  #listen(looking: Looking): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.look(looking);
      this.#tell({ link: 'lost' });
    }, SILENCE_MS);
  }

  async #askWhy(address: string, source: EventSource, looking: Looking): Promise<void> {
    const stop = new AbortController();
    const answer = await fetch(address, { signal: stop.signal }).catch(() => null);
    const problem = answer && !answer.ok ? ((await answer.json().catch(() => ({}))) as { detail?: string }) : null;
    stop.abort();
    // Another stream was opened meanwhile.
    if (this.#source !== source) return;
    if (answer?.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    else if (problem) {
      this.#tell({ link: 'refused', trouble: problem.detail ?? `HTTP ${answer?.status}` });
      clearTimeout(this.#silence);
      this.#silence = setTimeout(() => this.look(looking), SILENCE_MS);
    } else this.#tell({ link: 'lost' });
  }
}
