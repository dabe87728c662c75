import { html, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import type { ShownSession } from '../wire.ts';
import { type ButtonDeps, buttons } from './actions.ts';
import { type Selection, STATUS_FILTERS, type State } from './state.ts';
import { formatTime, timeLeft, timeSince } from './time.ts';

type Select = (selection: Partial<Selection>) => void;

function filter(selection: Selection, select: Select): TemplateResult {
  const submit = (event: Event) => {
    event.preventDefault();
    const find = String(new FormData(event.target as HTMLFormElement).get('find') ?? '').trim();
    select({ find, cursors: [] });
  };
  const choose = (event: Event) => select({ status: (event.target as HTMLSelectElement).value, cursors: [] });
  return html`<form class="filter" role="search" @submit=${submit}>
    <label>User or session <input name="find" type="search" maxlength="510" .value=${selection.find} /></label>
    <button>Find</button>
    <label
      >Status
      <select name="status" @change=${choose}>
        <option value="" .selected=${selection.status === ''}>any but deleted</option>
        ${STATUS_FILTERS.map((status) => html`<option value=${status} .selected=${selection.status === status}>${status}</option>`)}
      </select></label
    >
    ${selection.find || selection.status ? html`<button type="reset" @click=${() => select({ find: '', status: '', cursors: [] })}>Show all</button>` : ''}
  </form>`;
}

function sessionRow(session: ShownSession, now: number, press: ButtonDeps | null, select: Select): TemplateResult {
  const { uuid, userId, status, policy, lastActivity, sleepAt, deleteAt, holdUntil, keepUntil, inGrace, problem } = session;
  return html`<tr class=${status}>
    <th scope="row"><button class="link" @click=${() => select({ session: uuid })}>${uuid}</button></th>
    <td class="user" data-label="User" title=${userId}>${userId}</td>
    <td data-label="Status">
      <span class="status">${status}</span>
      ${keepUntil ? html`<span class="status good" title="until ${formatTime(keepUntil)}">kept</span>` : ''}
      ${problem ? html`<span class="status bad" title=${problem.lastError}>failing ×${problem.failures}</span>` : ''}
    </td>
    <td class="policy" data-label="Policy" title="sleep after ${policy.sleepAfter}, delete after ${policy.deleteAfter}">${policy.name}</td>
    <td data-label="Idle" class="number">${timeSince(lastActivity, now)}</td>
    <td data-label="Sleeps in" class="number">${timeLeft(sleepAt, now)}</td>
    <td data-label="Deleted in" class="number ${inGrace ? 'bad' : ''}">
      ${timeLeft(deleteAt, now)}${inGrace ? html` <small>unless its user comes back</small>` : ''}${
        keepUntil ? html` <small class="good">kept for ${timeLeft(keepUntil, now)}</small>` : ''
      }
    </td>
    <td data-label="Held for" class="number">${timeLeft(holdUntil, now)}</td>
    <td>${press && buttons(session, press, { brief: true })}</td>
  </tr>`;
}

/** Renders one page of the list of sessions, with its filters. */
export function sessionList({ page, selection }: State, now: number, press: ButtonDeps | null, select: Select): TemplateResult {
  const number = selection.cursors.length + 1;
  return html`<section class="sessions" aria-labelledby="sessions-title">
    <h2 id="sessions-title">Sessions</h2>
    ${filter(selection, select)}
    <table>
      <thead>
        <tr>
          <th scope="col">Session</th>
          <th scope="col">User</th>
          <th scope="col">Status</th>
          <th scope="col">Policy</th>
          <th scope="col">Idle</th>
          <th scope="col">Sleeps in</th>
          <th scope="col">Deleted in</th>
          <th scope="col">Held for</th>
          <th scope="col"><span class="hidden">Actions</span></th>
        </tr>
      </thead>
      <tbody>
        ${repeat(
          page?.items ?? [],
          ({ uuid }) => uuid,
          (session) => sessionRow(session, now, press, select),
        )}
      </tbody>
    </table>
    ${page?.items.length === 0 ? html`<p class="none">No sessions here.</p>` : ''}
    <div class="pager">
      <button ?disabled=${number === 1} @click=${() => select({ cursors: selection.cursors.slice(0, -1) })}>Previous</button>
      <span>Page ${number}</span>
      <button
        ?disabled=${!page?.nextCursor}
        @click=${() => page?.nextCursor && select({ cursors: [...selection.cursors, page.nextCursor] })}
      >
        Next
      </button>
    </div>
  </section>`;
}
