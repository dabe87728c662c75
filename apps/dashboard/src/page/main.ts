import { html, render } from 'lit-html';
import type { ShownSession } from '../wire.ts';
import { type ActionOptions, type OperatorAction, type RequestAction, sendAction } from './actions.ts';
import { Charts, chartSection, type Span } from './charts.ts';
import { health, topBar, totals, upcomingList } from './fleet.ts';
import { sessionList } from './list.ts';
import { LiveUpdates } from './live-updates.ts';
import { deleteDialog, sessionDialog } from './session.ts';
import { addressOf, type Selection, type State, selectionFrom } from './state.ts';

const TICK_MS = 1_000;
/** How often the charts fetch new samples, in ms. There is one per minute. */
const FETCH_CHARTS_MS = 30_000;
/** How long a session's buttons do nothing after an answer, in ms. */
const BUTTON_REST_MS = 1_000;
/** How long the message about a button's result is shown, in ms. */
const MESSAGE_MS = 6_000;

const state: State = {
  selection: selectionFrom(location.href),
  link: 'connecting',
  trouble: null,
  overview: null,
  page: null,
  opened: null,
  ahead: 0,
  message: '',
  busy: new Set(),
  deleting: null,
};

const chartPanel = new Charts();
let page: State['page'] = null;
let frameRequest = 0;
let messageTimer: ReturnType<typeof setTimeout> | undefined;

/** Changes the state and plans one drawing for the next frame. */
function updateState(news: Partial<State>): void {
  Object.assign(state, news);
  if (frameRequest === 0) frameRequest = requestAnimationFrame(drawPage);
}

/**
 * Returns the list to draw. While the pointer or the focus is in the list, its rows keep their places: new sessions come last, and
 * sessions that left the list stay. Otherwise a click could hit another session than the one aimed at.
 */
function steadyList(drawn: State['page'], page: State['page']): State['page'] {
  const aimed = document.querySelector('.sessions tbody:hover, .sessions tbody:focus-within');
  if (!aimed || !page || !drawn) return page;
  const fresh = new Map(page.items.map((session) => [session.uuid, session]));
  const kept = drawn.items.map((session) => fresh.get(session.uuid) ?? session);
  for (const { uuid } of kept) fresh.delete(uuid);
  return { ...page, items: [...kept, ...fresh.values()] };
}

const live = new LiveUpdates(updateState);

/** Shows the selected list and session. The rows of a different list are removed first. */
function show(selection: Selection): void {
  const { find, status, cursors } = state.selection;
  const same = find === selection.find && status === selection.status && cursors.at(-1) === selection.cursors.at(-1);
  // Clears both. The new list may arrive before the next frame, and `steady` would then keep rows of the old one.
  if (!same) page = state.page = null;
  updateState({ selection });
  live.open(selection);
}

function select(change: Partial<Selection>): void {
  const selection = { ...state.selection, ...change };
  history.pushState(null, '', addressOf(selection));
  show(selection);
}

function showMessage(message: string): void {
  clearTimeout(messageTimer);
  messageTimer = setTimeout(() => updateState({ message: '' }), MESSAGE_MS);
  updateState({ message });
}

/** Shows a session from the answer to an action at once; the stream follows within 0.5 s. */
function applySession(session: ShownSession): void {
  const { page: listed, opened: open } = state;
  const items = listed?.items.map((one) => (one.uuid === session.uuid ? session : one));
  updateState({
    page: listed && items ? { ...listed, items } : listed,
    opened: open?.uuid === session.uuid ? { ...open, session } : open,
  });
}

async function perform(action: OperatorAction, uuid: string, options?: ActionOptions): Promise<void> {
  updateState({ busy: new Set(state.busy).add(uuid) });
  const { session, said } = await sendAction(action, uuid, options);
  if (session) applySession(session);
  showMessage(said);
  setTimeout(() => updateState({ busy: new Set([...state.busy].filter((one) => one !== uuid)) }), BUTTON_REST_MS);
}

const ask: RequestAction = (action, session, options) => {
  if (action === 'delete') updateState({ deleting: session });
  else perform(action, session.uuid, options);
};

function toggleDialog(id: string, wanted: boolean): void {
  const dialog = document.getElementById(id) as HTMLDialogElement;
  if (wanted && !dialog.open) dialog.showModal();
  if (!wanted && dialog.open) dialog.close();
}

function drawPage(): void {
  frameRequest = 0;
  const now = Date.now() + state.ahead;
  const { deleting, selection, message } = state;
  page = steadyList(page, state.page);
  const closeSession = () => state.selection.session && select({ session: '' });
  const span = (wanted: Span) => chartPanel.show(wanted).then(() => updateState({}));
  const press = state.overview?.identity.role === 'operator' ? { ask, busy: state.busy } : null;
  render(
    html`${topBar(state)}
      <main>
        ${health(state)} ${totals(state, (status) => select({ status, cursors: [] }))}
        <div class="wide">${chartSection(chartPanel.span, span)} ${upcomingList(state, now, (session) => select({ session }))}</div>
        ${sessionList({ ...state, page }, now, press, select)}
      </main>
      ${sessionDialog(state, now, press, closeSession)}
      ${deleteDialog(
        state,
        (options) => deleting && perform('delete', deleting.uuid, options),
        () => updateState({ deleting: null }),
      )}
      <p class="said" role="status">${message}</p>`,
    document.body,
  );
  toggleDialog('session', selection.session !== '');
  toggleDialog('confirm', deleting !== null);
  // Draws the charts after this frame, so that the list appears first.
  if (state.overview) setTimeout(() => state.overview && chartPanel.draw(state.overview));
}

addEventListener('popstate', () => show(selectionFrom(location.href)));
// The slash key moves the focus to the search, as on many sites.
addEventListener('keydown', (event) => {
  const typing = (event.target as HTMLElement).closest('input, select, dialog');
  if (event.key !== '/' || typing) return;
  event.preventDefault();
  document.querySelector<HTMLInputElement>('input[name=find]')?.focus();
});
setInterval(() => updateState({}), TICK_MS);
setInterval(() => chartPanel.fetch(), FETCH_CHARTS_MS);

document.body.replaceChildren();
updateState({});
live.open(state.selection);
chartPanel.fetch().then(() => updateState({}));
