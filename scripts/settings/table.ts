import { VARIABLES } from '../../packages/runtime/src/variables.ts';

/** Between these lines of docs/settings.md the table stands. */
export const BEGIN = '<!-- The table is written by `npm run docs:settings`. -->';
const END = '<!-- The end of the table. -->';

interface Shown {
  readonly readBy: readonly string[];
  readonly meaning: string;
  readonly standard?: string;
  readonly otherwise?: string;
}

function defaultOf({ standard, otherwise }: Shown): string {
  if (otherwise) return otherwise;
  if (standard === undefined) return 'required';
  return standard === '' ? 'none' : `\`${standard}\``;
}

/** The table of docs/settings.md: every variable, what reads it, what it means, and what holds where it is not set. */
function settingsTable(): string {
  const rows = Object.entries<Shown>(VARIABLES).map(
    ([name, shown]) => `| \`${name}\` | ${shown.readBy.join(', ')} | ${shown.meaning} | ${defaultOf(shown)} |`,
  );
  return ['| variable | read by | meaning | default |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/**
 * The page with the table as it should be.
 *
 * @throws where the page has no place for a table
 */
export function withTable(page: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`docs/settings.md must contain "${BEGIN}" and "${END}"`);
  return `${page.slice(0, begin)}${BEGIN}\n\n${settingsTable()}\n\n${page.slice(end)}`;
}
