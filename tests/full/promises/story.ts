import { appendFileSync } from 'node:fs';
import type { Evidence, Life } from './evidence.ts';
import type { Finding } from './finding.ts';

function storyOf(life: Life, { faults }: Evidence): string {
  const events: [at: number, text: string][] = [
    ...life.deeds.map(({ sentAt, kind, status, view }): [number, string] => [
      sentAt,
      `user: ${kind}, answered ${status} ${view?.status ?? ''}`,
    ]),
    ...life.changes.map(({ at, from, to, cause }): [number, string] => [at, `status: ${from} to ${to}, ${cause}`]),
    ...life.calls.map(({ at, call, status, effectAt }): [number, string] => [
      at,
      `call: ${call}, answered ${status}, ${effectAt ? `effect after ${effectAt - at} ms` : 'no effect'}`,
    ]),
    ...life.writes.map(({ notBefore, set, removed }): [number, string] => [notBefore, `record: ${JSON.stringify(set)} without ${removed}`]),
    ...faults.flatMap(({ kind, from, to }): [number, string][] => [
      [from, `fault: ${kind}`],
      [to, `fault over: ${kind}`],
    ]),
  ];
  const lines = events.sort(([a], [b]) => a - b).map(([at, text]) => `${at} ${text}`);
  return [`${life.uuid}, ${JSON.stringify(life.idle)}`, ...lines, ''].join('\n');
}

/** Appends all that is known of each session with a broken promise to the file `SANDMAN_STORIES`, if it is set. */
export function tellStories(evidence: Evidence, findings: readonly Finding[]): void {
  const file = process.env.SANDMAN_STORIES;
  if (!file) return;
  for (const life of evidence.lives) {
    if (findings.some(({ broken }) => broken.some((text) => text.startsWith(life.uuid))))
      appendFileSync(file, `${storyOf(life, evidence)}\n`);
  }
}
