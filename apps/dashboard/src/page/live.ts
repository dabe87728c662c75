import type { Looking, State } from './state.ts';

/** Without a word for so long the stream is taken for dead, in ms; it speaks at least each second. */
const SILENCE_MS = 5_000;

/** What a stream tells; the rest of the state is the page's own. */
export type News = Partial<Pick<State, 'overview' | 'page' | 'opened' | 'trouble' | 'ahead' | 'link'>>;

/** Keeps a picture of what is looked at up to date, over one event stream; none while nobody can see it. */
export class Live {
  readonly #tell: (news: News) => void;
  #looking: Looking | null = null;
  #source: EventSource | null = null;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(tell: (news: News) => void) {
    this.#tell = tell;
    // A browser has six connections for a host: six pages in the background would leave none for what one presses.
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
      // The browser gives up only where the answer was none of a stream.
      if (source.readyState === EventSource.CLOSED) this.#askWhy(address, source, looking);
      else this.#tell({ link: 'lost' });
    });
  }

  #leave(): void {
    this.#source?.close();
    this.#source = null;
    clearTimeout(this.#silence);
  }

  /** Waits for the next word, and begins anew where none comes: a connection may be dead without having ended. */
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
    // Meanwhile something else is looked at.
    if (this.#source !== source) return;
    if (answer?.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    else if (problem) {
      this.#tell({ link: 'refused', trouble: problem.detail ?? `HTTP ${answer?.status}` });
      clearTimeout(this.#silence);
      this.#silence = setTimeout(() => this.look(looking), SILENCE_MS);
    } else this.#tell({ link: 'lost' });
  }
}
