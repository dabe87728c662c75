import { LIVE_STATUSES } from '@sandman/core';
import { html, type TemplateResult } from 'lit-html';
import type { Overview } from '../wire.ts';
import type { State } from './state.ts';
import { formatCount, formatHours, formatMoney, formatPercent, formatSpan, timeLeft } from './time.ts';

function overallState({ overview, link, trouble }: State): { level: string; text: string } {
  if (link === 'lost') return { level: 'bad', text: 'No connection' };
  if (trouble) return { level: 'bad', text: 'In trouble' };
  if (!overview) return { level: 'warn', text: 'Connecting' };
  const worst = overview.troubles[0];
  if (!worst) return { level: 'good', text: 'Healthy' };
  return worst.level === 'bad' ? { level: 'bad', text: 'In trouble' } : { level: 'warn', text: 'Warning' };
}

/** Renders the top bar: the state of the fleet, the links, the user, and the logout button. */
export function topBar(state: State): TemplateResult {
  const { level, text } = overallState(state);
  const { overview } = state;
  return html`<header>
    <h1><a class="brand" href="/"><img src="/assets/icon.svg" alt="" width="24" height="24" /> Sandman</a></h1>
    <span class="pill ${level}" role="status">${text}</span>
    <nav>
      <a href="/" aria-current="page">Sessions</a>
      <a href="/queues">Queues</a>
    </nav>
    <form method="post" action="/logout">
      ${overview ? html`<span class="who">${overview.identity.user}${overview.identity.role === 'viewer' ? ' (viewer)' : ''}</span>` : ''}
      <button>Log out</button>
    </form>
  </header>`;
}

function reasons({ overview, link, trouble }: State): TemplateResult {
  const away = link === 'lost' ? 'The dashboard does not answer' : trouble;
  const all = [...(away ? [{ level: 'bad', what: `${away}. What you see is old`, alert: '' }] : []), ...(overview?.troubles ?? [])];
  return html`${all.map(
    ({ level, what, alert }) =>
      html`<p class="trouble ${level}">${what}.${alert ? html` <small>${alert} in docs/operations.md</small>` : ''}</p>`,
  )}`;
}

function healthFigures({ workers: { alive, barred }, beatAgo, backlog, sweep, now }: Overview): TemplateResult {
  const due = backlog.sleep + backlog.delete + backlog.wake;
  const last = sweep.last ? `, the last ${formatSpan(now - sweep.last.at)} ago (${sweep.last.kind})` : '';
  return html`<dl class="signs">
    <div><dt>Workers</dt><dd>${formatCount(alive)}</dd></div>
    <div><dt>Circuit</dt><dd>${alive === 0 ? '–' : barred === 0 ? 'closed' : `open on ${barred} of ${alive}`}</dd></div>
    <div><dt>Pings taken</dt><dd>${beatAgo === null ? 'never' : beatAgo < 2_000 ? 'now' : `${formatSpan(beatAgo)} ago`}</dd></div>
    <div><dt>Due, not done</dt><dd>${formatCount(due)}</dd></div>
    <div><dt>Sweep</dt><dd>${sweep.visitedAgo === null ? 'not yet' : `${formatSpan(sweep.visitedAgo)} ago`}</dd></div>
    <div><dt>Repairs, 24 h</dt><dd>${formatCount(sweep.repairs)}${last}</dd></div>
  </dl>`;
}

/** Renders the troubles and the signs of health. */
export function health(state: State): TemplateResult {
  return html`<section aria-label="Health">${reasons(state)} ${state.overview ? healthFigures(state.overview) : ''}</section>`;
}

/** Renders the number of sessions of each status, as filters, and the savings. */
export function totals({ overview, selection }: State, choose: (status: string) => void): TemplateResult | string {
  if (!overview) return '';
  const { sessions, savings, failing } = overview;
  const tile = (status: string, number: number) => html`<button
    class="tile ${number > 0 ? status : ''}"
    aria-pressed=${selection.status === status}
    @click=${() => choose(selection.status === status ? '' : status)}
  >
    <b>${formatCount(number)}</b> ${status}
  </button>`;
  return html`<section class="tiles" aria-label="Totals">
    ${LIVE_STATUSES.map((status) => tile(status, sessions[status]))} ${tile('failing', failing)}
    <div class="tile saved">
      <b>${formatPercent(savings.savedFraction)}</b> saved: ${formatHours(savings.alwaysOnSeconds - savings.awakeSeconds)} of
      ${formatHours(savings.alwaysOnSeconds)} pod-hours${savings.cost ? `, worth ${formatMoney(savings.cost.saved)} of ${formatMoney(savings.cost.saved + savings.cost.awake)}` : ''}
    </div>
    <div class="tile">
      <b>${formatCount(savings.regrets)}</b> regrets in ${formatCount(savings.sleeps)} sleeps, ${formatCount(savings.wakes)} wakes
    </div>
  </section>`;
}

/** Renders the next sleeps and deletes. */
export function upcomingList({ overview }: State, now: number, open: (uuid: string) => void): TemplateResult | string {
  if (!overview) return '';
  const line = ({ uuid, userId, what, at }: Overview['next'][number]) => html`<li>
    <span class="when">${timeLeft(at, now)}</span>
    <button class="link" @click=${() => open(uuid)}>${uuid}</button> ${what === 'sleep' ? 'falls asleep' : 'is deleted'}
    <small>${userId}</small>
  </li>`;
  return html`<section class="next" aria-labelledby="next-title">
    <h2 id="next-title">Next</h2>
    ${overview.next.length === 0 ? html`<p class="none">Nothing.</p>` : html`<ol>${overview.next.map(line)}</ol>`}
  </section>`;
}
