import type { Session } from '@sandman/contracts';
import { html, render } from 'lit-html';
import { type Ask, act } from './actions.ts';
import { Charts, charts, type Span } from './charts.ts';
import { bar, health, totals, upcoming } from './fleet.ts';
import { list } from './list.ts';
import { Live } from './live.ts';
import { confirmation, opened } from './session.ts';
import { addressOf, type Looking, lookingFrom, type State } from './state.ts';

const TICK_MS = 1_000;
/** How often the charts look for a new sample, in ms: there is one a minute. */
const SAMPLE_MS = 30_000;
/** How long what a button did stands there, in ms. */
const SAID_MS = 6_000;

const state: State = {
  looking: lookingFrom(location.href),
  link: 'connecting',
  trouble: null,
  overview: null,
  page: null,
  opened: null,
  ahead: 0,
  said: '',
  deleting: null,
};

const drawn = new Charts();
let planned = 0;
let unsaid: ReturnType<typeof setTimeout> | undefined;

/** Draws soon, and once, however much has changed. */
function change(news: Partial<State>): void {
  Object.assign(state, news);
  if (planned === 0) planned = requestAnimationFrame(draw);
}

const live = new Live(change);

function look(change_: Partial<Looking>): void {
  const looking = { ...state.looking, ...change_ };
  history.pushState(null, '', addressOf(looking));
  change({ looking });
  live.look(looking);
}

function say(said: string): void {
  clearTimeout(unsaid);
  unsaid = setTimeout(() => change({ said: '' }), SAID_MS);
  change({ said });
}

/** Shows a session as an answer has it; the stream follows within half a second. */
function shown(session: Session): void {
  const { page, opened: open } = state;
  const items = page?.items.map((one) => (one.uuid === session.uuid ? session : one));
  change({
    page: page && items ? { ...page, items } : page,
    opened: open?.uuid === session.uuid ? { ...open, session } : open,
  });
}

async function done(...asked: Parameters<typeof act>): Promise<void> {
  const { session, said } = await act(...asked);
  if (session) shown(session);
  say(said);
}

const ask: Ask = (action, { uuid, userId }, span) => {
  if (action === 'delete') change({ deleting: { uuid, userId } });
  else done(action, uuid, span);
};

function toggle(id: string, wanted: boolean): void {
  const dialog = document.getElementById(id) as HTMLDialogElement;
  if (wanted && !dialog.open) dialog.showModal();
  if (!wanted && dialog.open) dialog.close();
}

function draw(): void {
  planned = 0;
  const now = Date.now() + state.ahead;
  const { deleting, looking, said } = state;
  const closeSession = () => state.looking.session && look({ session: '' });
  const show = (span: Span) => drawn.show(span).then(() => change({}));
  render(
    html`${bar(state)}
      <main>
        ${health(state)} ${totals(state, (status) => look({ status, cursors: [] }))}
        <div class="wide">${charts(drawn.span, show)} ${upcoming(state, now, (session) => look({ session }))}</div>
        ${list(state, now, { look, ask })}
      </main>
      ${opened(state, now, ask, closeSession)}
      ${confirmation(
        state,
        () => deleting && done('delete', deleting.uuid),
        () => change({ deleting: null }),
      )}
      <p class="said" role="status">${said}</p>`,
    document.body,
  );
  toggle('session', looking.session !== '');
  toggle('confirm', deleting !== null);
  // After this frame: the list is what one waits for.
  if (state.overview) setTimeout(() => state.overview && drawn.draw(state.overview));
}

addEventListener('popstate', () => {
  change({ looking: lookingFrom(location.href) });
  live.look(state.looking);
});
// A slash goes to the search, as in most places.
addEventListener('keydown', (event) => {
  const typing = (event.target as HTMLElement).closest('input, select, dialog');
  if (event.key !== '/' || typing) return;
  event.preventDefault();
  document.querySelector<HTMLInputElement>('input[name=find]')?.focus();
});
setInterval(() => change({}), TICK_MS);
setInterval(() => drawn.fetch(), SAMPLE_MS);

document.body.replaceChildren();
change({});
live.look(state.looking);
drawn.fetch().then(() => change({}));
