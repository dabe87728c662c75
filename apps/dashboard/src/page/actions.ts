import type { Session } from '@sandman/contracts';
import { html, type TemplateResult } from 'lit-html';

/** What an operator can do to a session. */
export type Action = 'sleep' | 'wake' | 'hold' | 'release' | 'delete';

const CALLS: Record<Action, { readonly method: string; readonly path: string; readonly done: string }> = {
  sleep: { method: 'POST', path: '/sleep', done: 'is put to sleep' },
  wake: { method: 'POST', path: '/wake', done: 'is woken' },
  hold: { method: 'POST', path: '/hold', done: 'is held' },
  release: { method: 'DELETE', path: '/hold', done: 'is no longer held' },
  delete: { method: 'DELETE', path: '', done: 'is deleted' },
};

/** How long a button waits for the answer, in ms. */
const ANSWER_MS = 10_000;

/**
 * Sends an action to the server.
 *
 * @param span how long a hold lasts
 * @returns the session after the change and a message; on failure null and the error
 */
export async function act(action: Action, uuid: string, span?: string): Promise<{ session: Session | null; said: string }> {
  const { method, path, done } = CALLS[action];
  const body = span === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ for: span }) };
  const signal = AbortSignal.timeout(ANSWER_MS);
  const answer = await fetch(`/api/sessions/${encodeURIComponent(uuid)}${path}`, { method, signal, ...body }).catch(() => null);
  if (!answer) return { session: null, said: 'The dashboard does not answer' };
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return { session: told as Session, said: `${uuid} ${done}` };
  return { session: null, said: (told as { detail?: string }).detail ?? `That failed (HTTP ${answer.status})` };
}

export type Ask = (action: Action, session: Session, span?: string) => void;

/** What the buttons of an operator need. */
export interface Press {
  readonly ask: Ask;
  /** Sessions whose button was pressed just now. It is another button by then, and a double click must not press that one too. */
  readonly busy: ReadonlySet<string>;
}

const HOLDS = ['1h', '4h', '8h', '24h'];

function holds(busy: boolean, ask: (action: Action, span?: string) => void): TemplateResult {
  const choose = (event: Event) => {
    const select = event.target as HTMLSelectElement;
    ask('hold', select.value);
    select.value = '';
  };
  return html`<select aria-label="Hold" ?disabled=${busy} @change=${choose}>
    <option value="">Hold</option>
    ${HOLDS.map((span) => html`<option value=${span}>for ${span}</option>`)}
  </select>`;
}

/** Renders the buttons of a session; none for one that is deleted or being deleted. */
export function buttons(session: Session, press: Press, { brief = false } = {}): TemplateResult | string {
  if (session.status === 'deleting' || session.status === 'deleted') return '';
  const awake = session.status === 'active' || session.status === 'waking';
  const busy = press.busy.has(session.uuid);
  const ask = (action: Action, span?: string) => busy || press.ask(action, session, span);
  // `aria-disabled` and not `disabled`, which would take the focus from keyboard users.
  const button = (action: Action, label: string, span?: string) =>
    html`<button class=${action} aria-disabled=${busy} @click=${() => ask(action, span)}>${label}</button>`;
  return html`<span class="buttons">
    ${awake ? button('sleep', 'Sleep') : button('wake', 'Wake')}
    ${session.holdUntil ? button('release', 'Release') : brief ? button('hold', 'Hold 1h', '1h') : holds(busy, ask)}
    ${button('delete', 'Delete')}
  </span>`;
}
