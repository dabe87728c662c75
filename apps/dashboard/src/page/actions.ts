import type { Session } from '@sandman/contracts';
import { html, type TemplateResult } from 'lit-html';

/** What an operator can have done to a session. */
export type Action = 'sleep' | 'wake' | 'hold' | 'release' | 'delete';

const CALLS: Record<Action, { readonly method: string; readonly path: string; readonly done: string }> = {
  sleep: { method: 'POST', path: '/sleep', done: 'is put to sleep' },
  wake: { method: 'POST', path: '/wake', done: 'is woken' },
  hold: { method: 'POST', path: '/hold', done: 'is held' },
  release: { method: 'DELETE', path: '/hold', done: 'is no longer held' },
  delete: { method: 'DELETE', path: '', done: 'is deleted' },
};

/**
 * @param span of a hold
 * @returns the session as it is on its way, and what to say; or only what went wrong
 */
export async function act(action: Action, uuid: string, span?: string): Promise<{ session: Session | null; said: string }> {
  const { method, path, done } = CALLS[action];
  const body = span === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ for: span }) };
  const answer = await fetch(`/api/sessions/${encodeURIComponent(uuid)}${path}`, { method, ...body }).catch(() => null);
  if (!answer) return { session: null, said: 'The dashboard does not answer' };
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return { session: told as Session, said: `${uuid} ${done}` };
  return { session: null, said: (told as { detail?: string }).detail ?? `That failed (HTTP ${answer.status})` };
}

export type Ask = (action: Action, session: Session, span?: string) => void;

const HOLDS = ['1h', '4h', '8h', '24h'];

function holds(session: Session, ask: Ask): TemplateResult {
  const choose = (event: Event) => {
    const select = event.target as HTMLSelectElement;
    ask('hold', session, select.value);
    select.value = '';
  };
  return html`<select aria-label="Hold" @change=${choose}>
    <option value="">Hold</option>
    ${HOLDS.map((span) => html`<option value=${span}>for ${span}</option>`)}
  </select>`;
}

/** The buttons of a session; none for one that is on its way out, or for who can change nothing. */
export function buttons(session: Session, mayChange: boolean, ask: Ask, { brief = false } = {}): TemplateResult | string {
  if (!mayChange || session.status === 'deleting' || session.status === 'deleted') return '';
  const awake = session.status === 'active' || session.status === 'waking';
  const button = (action: Action, label: string, span?: string) =>
    html`<button class=${action} @click=${() => ask(action, session, span)}>${label}</button>`;
  return html`<span class="buttons">
    ${awake ? button('sleep', 'Sleep') : button('wake', 'Wake')}
    ${session.holdUntil ? button('release', 'Release') : brief ? button('hold', 'Hold 1h', '1h') : holds(session, ask)}
    ${button('delete', 'Delete')}
  </span>`;
}
