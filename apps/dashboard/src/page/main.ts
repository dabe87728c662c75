import type { Session } from '@sandman/contracts';
import { html, render } from 'lit-html';
import { type Action, type Ask, act } from './actions.ts';
import { Charts, charts, type Span } from './charts.ts';
import { bar, health, totals, upcoming } from './fleet.ts';
import { list } from './list.ts';
import { Live } from './live.ts';
import { confirmation, opened } from './session.ts';
import { addressOf, type Looking, lookingFrom, type State } from './state.ts';

const TICK_MS = 1_000;
/** How often the charts fetch new samples, in ms. There is one per minute. */
const SAMPLE_MS = 30_000;
/** How long a session's buttons do nothing after an answer, in ms. */
const REST_MS = 1_000;
/** How long the message about a button's result is shown, in ms. */
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
  busy: new Set(),
  deleting: null,
};

const drawn = new Charts();
let page: State['page'] = null;
let planned = 0;
let unsaid: ReturnType<typeof setTimeout> | undefined;

/** Changes the state and plans one drawing for the next frame. */
function change(news: Partial<State>): void {
  Object.assign(state, news);
  if (planned === 0) planned = requestAnimationFrame(draw);
}

/**
 * Returns the list to draw. While the pointer or the focus is in the list, its rows keep their places: new sessions come last, and
 * sessions that left the list stay. Otherwise a click could hit another session than the one aimed at.
 */
function steady(drawn: State['page'], page: State['page']): State['page'] {
  const aimed = document.querySelector('.sessions tbody:hover, .sessions tbody:focus-within');
  if (!aimed || !page || !drawn) return page;
  const fresh = new Map(page.items.map((session) => [session.uuid, session]));
  const kept = drawn.items.map((session) => fresh.get(session.uuid) ?? session);
  for (const { uuid } of kept) fresh.delete(uuid);
  return { ...page, items: [...kept, ...fresh.values()] };
}

const live = new Live(change);

/** Shows the selected list and session. The rows of a different list are removed first. */
function show(looking: Looking): void {
  const { find, status, cursors } = state.looking;
  const same = find === looking.find && status === looking.status && cursors.at(-1) === looking.cursors.at(-1);
  // Clears both. The new list may arrive before the next frame, and `steady` would then keep rows of the old one.
  if (!same) page = state.page = null;
  change({ looking });
  live.look(looking);
}

function look(change_: Partial<Looking>): void {
  const looking = { ...state.looking, ...change_ };
  history.pushState(null, '', addressOf(looking));
  show(looking);
}

function say(said: string): void {
  clearTimeout(unsaid);
  unsaid = setTimeout(() => change({ said: '' }), SAID_MS);
  change({ said });
}

/** Shows a session from the answer to an action at once; the stream follows within 0.5 s. */
function shown(session: Session): void {
  const { page: listed, opened: open } = state;
  const items = listed?.items.map((one) => (one.uuid === session.uuid ? session : one));
  change({
    page: listed && items ? { ...listed, items } : listed,
    opened: open?.uuid === session.uuid ? { ...open, session } : open,
  });
}

async function done(action: Action, uuid: string, span?: string): Promise<void> {
  change({ busy: new Set(state.busy).add(uuid) });
  const { session, said } = await act(action, uuid, span);
  if (session) shown(session);
  say(said);
  setTimeout(() => change({ busy: new Set([...state.busy].filter((one) => one !== uuid)) }), REST_MS);
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
  page = steady(page, state.page);
  const closeSession = () => state.looking.session && look({ session: '' });
  const span = (wanted: Span) => drawn.show(wanted).then(() => change({}));
  const press = state.overview?.identity.role === 'operator' ? { ask, busy: state.busy } : null;
  render(
    html`${bar(state)}
      <main>
        ${health(state)} ${totals(state, (status) => look({ status, cursors: [] }))}
        <div class="wide">${charts(drawn.span, span)} ${upcoming(state, now, (session) => look({ session }))}</div>
        ${list({ ...state, page }, now, press, look)}
      </main>
      ${opened(state, now, press, closeSession)}
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
  // Draws the charts after this frame, so that the list appears first.
  if (state.overview) setTimeout(() => state.overview && drawn.draw(state.overview));
}

addEventListener('popstate', () => show(lookingFrom(location.href)));
// The slash key moves the focus to the search, as on many sites.
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
