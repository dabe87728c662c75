import type { Link, Looking, State } from './state.ts';

/** Without a word for so long the stream is taken for dead, in ms; it speaks at least each second. */
const SILENCE_MS = 5_000;

/** What a stream tells; the rest of the state is the page's own. */
export type News = Partial<Pick<State, 'overview' | 'page' | 'opened' | 'trouble' | 'ahead' | 'link'>>;

/** Keeps a picture of what is looked at up to date, over one event stream. */
export class Live {
  readonly #tell: (news: News) => void;
  #source: EventSource | null = null;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(tell: (news: News) => void) {
    this.#tell = tell;
  }

  look(looking: Looking): void {
    const { find, status, session, cursors } = looking;
    this.#source?.close();
    const query = new URLSearchParams({ find, status, session, cursor: cursors.at(-1) ?? '' });
    const source = new EventSource(`/api/live?${query}`);
    this.#source = source;
    this.#link('connecting');
    const on = (event: string, take: (data: never) => News) => {
      source.addEventListener(event, ({ data }) => {
        this.#link('live');
        this.#tell(take(JSON.parse(data) as never));
      });
    };
    on('overview', (overview: NonNullable<State['overview']>) => ({ overview, trouble: null, ahead: overview.now - Date.now() }));
    on('page', (page) => ({ page }));
    on('opened', (opened) => ({ opened }));
    on('trouble', (trouble) => ({ trouble }));
    source.addEventListener('error', () => {
      this.#link('lost');
      // The browser gives up only where the answer was none of a stream: perhaps the login is over.
      if (source.readyState === EventSource.CLOSED) this.#askAgain(looking);
    });
  }

  #link(link: Link): void {
    this.#tell({ link });
    clearTimeout(this.#silence);
    if (link === 'live') this.#silence = setTimeout(() => this.#tell({ link: 'lost' }), SILENCE_MS);
  }

  async #askAgain(looking: Looking): Promise<void> {
    const answer = await fetch('/api/trend?span=1m').catch(() => null);
    if (answer?.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    else setTimeout(() => this.look(looking), 1_000);
  }
}
