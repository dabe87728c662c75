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
/** How often the charts look for a new sample, in ms: there is one a minute. */
const SAMPLE_MS = 30_000;
/** How long a session's buttons rest after a press, in ms. */
const REST_MS = 1_000;
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
  busy: new Set(),
  deleting: null,
};

const drawn = new Charts();
let page: State['page'] = null;
let planned = 0;
let unsaid: ReturnType<typeof setTimeout> | undefined;

/** Draws soon, and once, however much has changed. */
function change(news: Partial<State>): void {
  Object.assign(state, news);
  if (planned === 0) planned = requestAnimationFrame(draw);
}

/**
 * The list as it is drawn. Where somebody points into it its rows keep their places: who is new comes last, and who has gone
 * stays. A press must not meet another session than the one that was aimed at.
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

/** What is shown of another list is none of this one. */
function show(looking: Looking): void {
  const { find, status, cursors } = state.looking;
  const same = find === looking.find && status === looking.status && cursors.at(-1) === looking.cursors.at(-1);
  // Both at once: the new list may come before the next frame, and what stands there would be kept among it.
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

/** Shows a session as an answer has it; the stream follows within half a second. */
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
  // After this frame: the list is what one waits for.
  if (state.overview) setTimeout(() => state.overview && drawn.draw(state.overview));
}

addEventListener('popstate', () => show(lookingFrom(location.href)));
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
