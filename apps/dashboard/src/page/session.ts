import { html, type TemplateResult } from 'lit-html';
import type { HistoryEntry, SessionAlarm, ShownSession } from '../wire.ts';
import { type ActionOptions, type ButtonDeps, buttons } from './actions.ts';
import { policyNote } from './policy-note.ts';
import type { State } from './state.ts';
import { formatSpan, formatTime, timeLeft, timeSince } from './time.ts';

/** The cause of a change, as a phrase for the history. */
const CAUSE_TEXTS: Record<string, string> = {
  created: 'it was created',
  adopted: 'a pod that existed was taken over',
  activity: 'its user came back',
  idle: 'idle for as long as its policy allows',
  manual: 'requested by hand or by the chat backend',
  logout: 'its user logged out',
  'delete-due': 'it slept, or idled, for as long as its policy or a keep allowed',
  gone: 'the session-manager no longer knows it',
  restored: 'Redis came back with older data, or was restored',
};

function historyItem({ at, from, to, cause }: HistoryEntry, now: number): TemplateResult {
  return html`<li>
    <span class="status ${to}">${to}</span> <b>${cause}</b>: ${CAUSE_TEXTS[cause] ?? ''}
    <small>${formatTime(at)}, ${timeSince(at, now)} ago${from ? html`, was ${from}` : ''}</small>
  </li>`;
}

function alarmLink({ name, at, path }: SessionAlarm, now: number): TemplateResult {
  return html`<a href=${path}>${name}</a> ${at <= now ? 'now' : html`in ${formatSpan(at - now)}`}<br />`;
}

function sessionFacts(session: ShownSession, alarms: readonly SessionAlarm[], now: number): TemplateResult {
  const { userId, status, policy, workspaceUrl, createdAt, lastActivity, sleepAt, sleptAt, deleteAt, holdUntil, keepUntil, problem } =
    session;
  const timed = (time: string | null) => (time === null ? '–' : html`${timeLeft(time, now)} <small>${formatTime(time)}</small>`);
  const ago = (time: string | null) => (time === null ? '–' : html`${timeSince(time, now)} ago <small>${formatTime(time)}</small>`);
  return html`<dl class="facts">
    <div><dt>Status</dt><dd><span class="status ${status}">${status}</span></dd></div>
    <div><dt>User</dt><dd>${userId}</dd></div>
    <div><dt>Sleeps in</dt><dd class="countdown">${timed(sleepAt)}</dd></div>
    <div><dt>Deleted in</dt><dd>${timed(deleteAt)}</dd></div>
    <div><dt>Held for</dt><dd>${timed(holdUntil)}</dd></div>
    <div><dt>Kept for</dt><dd>${timed(keepUntil)}</dd></div>
    <div><dt>Last activity</dt><dd>${ago(lastActivity)}</dd></div>
    <div><dt>Fell asleep</dt><dd>${ago(sleptAt)}</dd></div>
    <div><dt>Created</dt><dd>${ago(createdAt)}</dd></div>
    <div><dt>Alarms that ring</dt><dd>${alarms.length === 0 ? '–' : alarms.map((one) => alarmLink(one, now))}</dd></div>
    <div>
      <dt>Policy</dt>
      <dd>${policy.name}: asleep after ${policy.sleepAfter}, deleted after ${policy.deleteAfter} <small>background at most ${policy.backgroundCap}</small> <small>${policyNote(policy)}</small></dd>
    </div>
    ${workspaceUrl ? html`<div><dt>Workspace</dt><dd>${workspaceUrl}</dd></div>` : ''}
    ${problem ? html`<div><dt>Problem</dt><dd class="bad">${problem.lastError}, ${problem.failures} times for ${timeSince(problem.since, now)}</dd></div>` : ''}
  </dl>`;
}

/** Renders why the session is deleted at another time than its policy says; nothing if it is not. */
function deleteNotices({ inGrace, deleteAt, keepUntil }: ShownSession, now: number): TemplateResult {
  const left = timeLeft(deleteAt, now);
  return html`${
    inGrace
      ? html`<p class="notice bad">
          <b>Deleted ${left === 'now' ? 'now' : html`in <span class="countdown">${left}</span>`} unless its user comes back.</b> A delete with a
          grace was requested. Background activity does not cancel it.
        </p>`
      : ''
  }${
    keepUntil
      ? html`<p class="notice good">
          <b>Kept until ${formatTime(keepUntil)}.</b> Neither idleness nor a logout deletes it before. It sleeps and wakes as usual.
        </p>`
      : ''
  }`;
}

/** Renders the dialog of one session: its facts, its alarms and its history. */
export function sessionDialog(
  { selection, opened: found }: State,
  now: number,
  press: ButtonDeps | null,
  close: () => void,
): TemplateResult {
  const known = found?.uuid === selection.session ? found : null;
  return html`<dialog id="session" aria-labelledby="session-title" @close=${close}>
    ${
      selection.session &&
      html`<form method="dialog"><button aria-label="Close">✕</button></form>
      <h2 id="session-title">Session ${selection.session}</h2>
      ${known && !known.session ? html`<p class="none">There is no such session, or it was deleted more than 24 hours ago.</p>` : ''}
      ${known?.session ? html`${deleteNotices(known.session, now)} ${sessionFacts(known.session, known.alarms, now)} ${press && buttons(known.session, press)}` : ''}
      ${
        known?.session
          ? html`<h3>History</h3>
            <ol class="history">${known.history.map((one) => historyItem(one, now))}</ol>`
          : ''
      }`
    }
  </dialog>`;
}

/** The graces that a delete offers. */
const GRACES = ['1h', '24h', '7d'];

/** Renders the dialog that asks for confirmation before a pod and its data are deleted. */
export function deleteDialog({ deleting }: State, confirm: (options: ActionOptions) => void, close: () => void): TemplateResult {
  const keptUntil = deleting?.keepUntil ?? null;
  const press = (event: Event) => {
    const { form } = event.target as HTMLButtonElement;
    const grace = String(new FormData(form!).get('grace') ?? '');
    confirm({ grace, force: keptUntil !== null });
  };
  const closed = (event: Event) => {
    // The next delete must not start with the grace that was chosen for this one.
    (event.target as HTMLDialogElement).querySelector('form')!.reset();
    close();
  };
  return html`<dialog id="confirm" role="alertdialog" aria-labelledby="confirm-title" @close=${closed}>
    <h2 id="confirm-title">Delete ${deleting?.uuid ?? ''}?</h2>
    ${keptUntil ? html`<p class="notice warn"><b>This session is kept until ${formatTime(keptUntil)}.</b> A delete ends its keep.</p>` : ''}
    <p>The pod of ${deleting?.userId ?? ''} and all its data are gone for good.</p>
    <form method="dialog">
      <label>
        When
        <select name="grace">
          <option value="">now</option>
          ${GRACES.map((grace) => html`<option value=${grace}>in ${grace}, unless its user comes back</option>`)}
        </select>
      </label>
      <p class="buttons">
        <button autofocus>Cancel</button>
        <button class="delete" @click=${press}>${keptUntil ? 'Delete although it is kept' : 'Delete'}</button>
      </p>
    </form>
  </dialog>`;
}
