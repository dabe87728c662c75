import type { Session } from '@sandman/contracts';
import { html, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { buttons, type Press } from './actions.ts';
import { CHOICES, type Looking, type State } from './state.ts';
import { since, until } from './time.ts';

type Look = (looking: Partial<Looking>) => void;

function filter(looking: Looking, look: Look): TemplateResult {
  const submit = (event: Event) => {
    event.preventDefault();
    const find = String(new FormData(event.target as HTMLFormElement).get('find') ?? '').trim();
    look({ find, cursors: [] });
  };
  const choose = (event: Event) => look({ status: (event.target as HTMLSelectElement).value, cursors: [] });
  return html`<form class="filter" role="search" @submit=${submit}>
    <label>User or session <input name="find" type="search" maxlength="510" .value=${looking.find} /></label>
    <button>Find</button>
    <label
      >Status
      <select name="status" @change=${choose}>
        <option value="" .selected=${looking.status === ''}>any but deleted</option>
        ${CHOICES.map((status) => html`<option value=${status} .selected=${looking.status === status}>${status}</option>`)}
      </select></label
    >
    ${looking.find || looking.status ? html`<button type="reset" @click=${() => look({ find: '', status: '', cursors: [] })}>Show all</button>` : ''}
  </form>`;
}

function row(session: Session, now: number, press: Press | null, look: Look): TemplateResult {
  const { uuid, userId, status, policy, lastActivity, sleepAt, deleteAt, holdUntil, problem } = session;
  return html`<tr class=${status}>
    <th scope="row"><button class="link" @click=${() => look({ session: uuid })}>${uuid}</button></th>
    <td class="user" data-label="User" title=${userId}>${userId}</td>
    <td data-label="Status">
      <span class="status">${status}</span>
      ${problem ? html`<span class="status bad" title=${problem.lastError}>failing ×${problem.failures}</span>` : ''}
    </td>
    <td data-label="Policy" title="sleep after ${policy.sleepAfter}, delete after ${policy.deleteAfter}">${policy.name}</td>
    <td data-label="Idle" class="number">${since(lastActivity, now)}</td>
    <td data-label="Sleeps in" class="number">${until(sleepAt, now)}</td>
    <td data-label="Deleted in" class="number">${until(deleteAt, now)}</td>
    <td data-label="Held for" class="number">${until(holdUntil, now)}</td>
    <td>${press && buttons(session, press, { brief: true })}</td>
  </tr>`;
}

/** Renders one page of the list of sessions, with its filters. */
export function list({ page, looking }: State, now: number, press: Press | null, look: Look): TemplateResult {
  const number = looking.cursors.length + 1;
  return html`<section class="sessions" aria-labelledby="sessions-title">
    <h2 id="sessions-title">Sessions</h2>
    ${filter(looking, look)}
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
          (session) => row(session, now, press, look),
        )}
      </tbody>
    </table>
    ${page?.items.length === 0 ? html`<p class="none">No sessions here.</p>` : ''}
    <div class="pager">
      <button ?disabled=${number === 1} @click=${() => look({ cursors: looking.cursors.slice(0, -1) })}>Previous</button>
      <span>Page ${number}</span>
      <button
        ?disabled=${!page?.nextCursor}
        @click=${() => page?.nextCursor && look({ cursors: [...looking.cursors, page.nextCursor] })}
      >
        Next
      </button>
    </div>
  </section>`;
}
