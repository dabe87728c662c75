import { appendFileSync } from 'node:fs';
import type { Evidence, SessionEvidence } from './evidence.ts';
import type { PromiseResult } from './promise-result.ts';

function timelineOf(session: SessionEvidence, { faults }: Evidence): string {
  const events: [at: number, text: string][] = [
    ...session.requests.map(({ sentAt, kind, status, view }): [number, string] => [
      sentAt,
      `user: ${kind}, answered ${status} ${view?.status ?? ''}`,
    ]),
    ...session.changes.map(({ at, from, to, cause }): [number, string] => [at, `status: ${from} to ${to}, ${cause}`]),
    ...session.calls.map(({ at, call, status, effectAt }): [number, string] => [
      at,
      `call: ${call}, answered ${status}, ${effectAt ? `effect after ${effectAt - at} ms` : 'no effect'}`,
    ]),
    ...session.writes.map(({ notBefore, set, removed }): [number, string] => [
      notBefore,
      `record: ${JSON.stringify(set)} without ${removed}`,
    ]),
    ...faults.flatMap(({ kind, from, to }): [number, string][] => [
      [from, `fault: ${kind}`],
      [to, `fault over: ${kind}`],
    ]),
  ];
  const lines = events.sort(([a], [b]) => a - b).map(([at, text]) => `${at} ${text}`);
  return [`${session.uuid}, ${JSON.stringify(session.idle)}`, ...lines, ''].join('\n');
}

/** Appends all that is known of each session with a broken promise to the file `SANDMAN_STORIES`, if it is set. */
export function writeTimelines(evidence: Evidence, findings: readonly PromiseResult[]): void {
  const file = process.env.SANDMAN_STORIES;
  if (!file) return;
  for (const session of evidence.sessions) {
    if (findings.some(({ broken }) => broken.some((text) => text.startsWith(session.uuid))))
      appendFileSync(file, `${timelineOf(session, evidence)}\n`);
  }
}
