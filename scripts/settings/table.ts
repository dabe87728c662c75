import { VARIABLES } from '../../packages/runtime/src/variables.ts';

/** The table is between these two lines of docs/settings.md. */
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

/** Builds the table of docs/settings.md: every variable, which processes read it, its meaning, and its default. */
function settingsTable(): string {
  const rows = Object.entries<Shown>(VARIABLES).map(
    ([name, shown]) => `| \`${name}\` | ${shown.readBy.join(', ')} | ${shown.meaning} | ${defaultOf(shown)} |`,
  );
  return ['| variable | read by | meaning | default |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/**
 * Replaces the table of a page by the current one.
 *
 * @throws Error if the page has no place for a table
 */
export function withTable(page: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`docs/settings.md must contain "${BEGIN}" and "${END}"`);
  return `${page.slice(0, begin)}${BEGIN}\n\n${settingsTable()}\n\n${page.slice(end)}`;
}
