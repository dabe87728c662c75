import type { Session } from '@sandman/contracts';
import { html, type TemplateResult } from 'lit-html';
import type { Alarm, Change } from '../wire.ts';
import { buttons, type Press } from './actions.ts';
import type { State } from './state.ts';
import { moment, since, span, until } from './time.ts';

/** The cause of a change, as a phrase for the history. */
const CAUSES: Record<string, string> = {
  created: 'it was created',
  adopted: 'a pod that existed was taken over',
  activity: 'its user came back',
  idle: 'idle for as long as its policy allows',
  manual: 'requested by hand or by the chat backend',
  logout: 'its user logged out',
  'delete-due': 'it slept, or idled, for as long as its policy allows',
  gone: 'the session-manager no longer knows it',
  restored: 'Redis came back with older data, or was restored',
};

function change({ at, from, to, cause }: Change, now: number): TemplateResult {
  return html`<li>
    <span class="status ${to}">${to}</span> <b>${cause}</b>: ${CAUSES[cause] ?? ''}
    <small>${moment(at)}, ${since(at, now)} ago${from ? html`, was ${from}` : ''}</small>
  </li>`;
}

function alarm({ name, at, path }: Alarm, now: number): TemplateResult {
  return html`<a href=${path}>${name}</a> ${at <= now ? 'now' : html`in ${span(at - now)}`}<br />`;
}

function facts(session: Session, alarms: readonly Alarm[], now: number): TemplateResult {
  const { userId, status, policy, workspaceUrl, createdAt, lastActivity, sleepAt, sleptAt, deleteAt, holdUntil, problem } = session;
  const timed = (time: string | null) => (time === null ? '–' : html`${until(time, now)} <small>${moment(time)}</small>`);
  const ago = (time: string | null) => (time === null ? '–' : html`${since(time, now)} ago <small>${moment(time)}</small>`);
  return html`<dl class="facts">
    <div><dt>Status</dt><dd><span class="status ${status}">${status}</span></dd></div>
    <div><dt>User</dt><dd>${userId}</dd></div>
    <div><dt>Sleeps in</dt><dd class="countdown">${timed(sleepAt)}</dd></div>
    <div><dt>Deleted in</dt><dd>${timed(deleteAt)}</dd></div>
    <div><dt>Held for</dt><dd>${timed(holdUntil)}</dd></div>
    <div><dt>Last activity</dt><dd>${ago(lastActivity)}</dd></div>
    <div><dt>Fell asleep</dt><dd>${ago(sleptAt)}</dd></div>
    <div><dt>Created</dt><dd>${ago(createdAt)}</dd></div>
    <div><dt>Alarms that ring</dt><dd>${alarms.length === 0 ? '–' : alarms.map((one) => alarm(one, now))}</dd></div>
    <div>
      <dt>Policy</dt>
      <dd>${policy.name}: asleep after ${policy.sleepAfter}, deleted after ${policy.deleteAfter} <small>background at most ${policy.backgroundCap}</small></dd>
    </div>
    ${workspaceUrl ? html`<div><dt>Workspace</dt><dd>${workspaceUrl}</dd></div>` : ''}
    ${problem ? html`<div><dt>Problem</dt><dd class="bad">${problem.lastError}, ${problem.failures} times for ${since(problem.since, now)}</dd></div>` : ''}
  </dl>`;
}

/** Renders the dialog of one session: its facts, its alarms and its history. */
export function opened({ looking, opened: found }: State, now: number, press: Press | null, close: () => void): TemplateResult {
  const known = found?.uuid === looking.session ? found : null;
  return html`<dialog id="session" aria-labelledby="session-title" @close=${close}>
    ${
      looking.session &&
      html`<form method="dialog"><button aria-label="Close">✕</button></form>
      <h2 id="session-title">Session ${looking.session}</h2>
      ${known && !known.session ? html`<p class="none">There is no such session, or it was deleted more than 24 hours ago.</p>` : ''}
      ${known?.session ? html`${facts(known.session, known.alarms, now)} ${press && buttons(known.session, press)}` : ''}
      ${
        known?.session
          ? html`<h3>History</h3>
            <ol class="history">${known.history.map((one) => change(one, now))}</ol>`
          : ''
      }`
    }
  </dialog>`;
}

/** Renders the dialog that asks for confirmation before a pod and its data are deleted. */
export function confirmation({ deleting }: State, confirm: () => void, close: () => void): TemplateResult {
  return html`<dialog id="confirm" role="alertdialog" aria-labelledby="confirm-title" @close=${close}>
    <h2 id="confirm-title">Delete ${deleting?.uuid ?? ''}?</h2>
    <p>The pod of ${deleting?.userId ?? ''} and all its data are gone for good.</p>
    <form method="dialog" class="buttons">
      <button autofocus>Keep it</button>
      <button class="delete" @click=${confirm}>Delete</button>
    </form>
  </dialog>`;
}
