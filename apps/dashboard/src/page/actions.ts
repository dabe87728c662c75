import { html, type TemplateResult } from 'lit-html';
import type { ShownSession } from '../wire.ts';

/** What an operator can do to a session. */
export type OperatorAction = 'sleep' | 'wake' | 'take-back' | 'hold' | 'release' | 'keep' | 'end-keep' | 'delete';

/** What some actions need. */
export interface ActionOptions {
  /** How long a hold or a keep lasts. */
  readonly span?: string;
  /** How long a delete waits for the return of the user; left out: not at all. */
  readonly grace?: string;
  /** Whether a session that is kept is deleted. */
  readonly force?: boolean;
}

interface ActionCall {
  readonly method: string;
  readonly path: string;
  readonly done: (options: ActionOptions) => string;
}

const ACTION_CALLS: Record<OperatorAction, ActionCall> = {
  sleep: { method: 'POST', path: '/sleep', done: () => 'is put to sleep' },
  wake: { method: 'POST', path: '/wake', done: () => 'is woken' },
  // A wake by hand cancels the delete.
  'take-back': { method: 'POST', path: '/wake', done: () => 'is woken, and its delete is cancelled' },
  hold: { method: 'POST', path: '/hold', done: ({ span }) => `is held for ${span}` },
  release: { method: 'DELETE', path: '/hold', done: () => 'is no longer held' },
  keep: { method: 'POST', path: '/keep', done: ({ span }) => `is kept for ${span}` },
  'end-keep': { method: 'DELETE', path: '/keep', done: () => 'is no longer kept' },
  delete: {
    method: 'DELETE',
    path: '',
    done: ({ grace }) => (grace ? `is put to sleep, and deleted in ${grace} unless its user comes back` : 'is deleted'),
  },
};

/** How long a button waits for the answer, in ms. */
const ANSWER_MS = 10_000;

/**
 * Sends an action to the server.
 *
 * @returns the session after the change and a message; on failure null and the error
 */
export async function sendAction(
  action: OperatorAction,
  uuid: string,
  options: ActionOptions = {},
): Promise<{ session: ShownSession | null; said: string }> {
  const { method, path, done } = ACTION_CALLS[action];
  const { span, grace, force = false } = options;
  const body = span === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ for: span }) };
  const query = new URLSearchParams({ ...(grace ? { grace } : {}), ...(force ? { force: 'true' } : {}) });
  const signal = AbortSignal.timeout(ANSWER_MS);
  const address = `/api/sessions/${encodeURIComponent(uuid)}${path}${query.size > 0 ? `?${query}` : ''}`;
  const answer = await fetch(address, { method, signal, ...body }).catch(() => null);
  if (!answer) return { session: null, said: 'The dashboard does not answer' };
  const reply = await answer.json().catch(() => ({}));
  if (answer.ok) return { session: reply as ShownSession, said: `${uuid} ${done(options)}` };
  return { session: null, said: (reply as { detail?: string }).detail ?? `That failed (HTTP ${answer.status})` };
}

export type RequestAction = (action: OperatorAction, session: ShownSession, options?: ActionOptions) => void;

/** What the buttons of an operator need. */
export interface ButtonDeps {
  readonly ask: RequestAction;
  /** Sessions whose button was pressed just now. It is another button by then, and a double click must not press that one too. */
  readonly busy: ReadonlySet<string>;
}

const HOLD_SPANS = ['1h', '4h', '8h', '24h'];
const KEEP_SPANS = ['24h', '7d', '30d', '365d'];

function spanSelect(label: string, spans: readonly string[], busy: boolean, ask: (span: string) => void): TemplateResult {
  const choose = (event: Event) => {
    const select = event.target as HTMLSelectElement;
    ask(select.value);
    select.value = '';
  };
  return html`<select aria-label=${label} ?disabled=${busy} @change=${choose}>
    <option value="">${label}</option>
    ${spans.map((span) => html`<option value=${span}>for ${span}</option>`)}
  </select>`;
}

/** Renders the buttons of a session; none for one that is deleted or being deleted. */
export function buttons(session: ShownSession, press: ButtonDeps, { brief = false } = {}): TemplateResult | string {
  const { status, inGrace, holdUntil, keepUntil } = session;
  if (status === 'deleting' || status === 'deleted') return '';
  const awake = status === 'active' || status === 'waking';
  const busy = press.busy.has(session.uuid);
  const ask = (action: OperatorAction, span?: string) => busy || press.ask(action, session, span === undefined ? {} : { span });
  // `aria-disabled` and not `disabled`, which would take the focus from keyboard users.
  const button = (action: OperatorAction, label: string, span?: string) =>
    html`<button class=${action} aria-disabled=${busy} @click=${() => ask(action, span)}>${label}</button>`;
  /** A list offers one span, because a choice in each of its rows would take too much room. */
  const timed = (action: 'hold' | 'keep', label: string, spans: readonly string[], briefSpan: string) =>
    brief ? button(action, `${label} ${briefSpan}`, briefSpan) : spanSelect(label, spans, busy, (span) => ask(action, span));
  return html`<span class="buttons">
    ${awake ? button('sleep', 'Sleep') : inGrace ? button('take-back', 'Take back') : button('wake', 'Wake')}
    ${holdUntil ? button('release', 'Release') : timed('hold', 'Hold', HOLD_SPANS, '1h')}
    ${keepUntil ? button('end-keep', 'End keep') : timed('keep', 'Keep', KEEP_SPANS, '7d')}
    ${button('delete', 'Delete')}
  </span>`;
}
