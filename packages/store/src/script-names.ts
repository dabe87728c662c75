import { REGRET_MS } from '@sandman/core';
import { HISTORY_BYTES } from './history-codec.ts';
import { EVENTS_CAP } from './keys.ts';
import { FIELDS, INTAKE_FIELDS } from './record.ts';
import { CLOCKS_BEGIN_MS } from './usage-codec.ts';

const GROUPS: Readonly<Record<string, Readonly<Record<string, string | number>>>> = {
  FIELDS,
  INTAKE: INTAKE_FIELDS,
  CONSTANTS: { EVENTS_CAP, HISTORY_BYTES, CLOCKS_BEGIN_MS, REGRET_MS },
};

function literal(value: string | number): string {
  return typeof value === 'number' ? String(value) : `'${value}'`;
}

/**
 * Replaces the names in a script by their values, so that they cost nothing when it runs: `FIELDS.rev` and the other fields of
 * a record, `INTAKE.warning` and the other fields of the intake, `INTAKE.all` (a list of them), `CONSTANTS.EVENTS_CAP` and others.
 *
 * @throws Error that names what is unknown
 */
export function withValues(text: string): string {
  return text.replace(/\b([A-Z]+)\.(\w+)/g, (name, group, member) => {
    if (name === 'INTAKE.all') return Object.values(INTAKE_FIELDS).map(literal).join(', ');
    const values = GROUPS[group] ?? {};
    const value = Object.hasOwn(values, member) ? values[member] : undefined;
    if (value === undefined) throw new Error(`A script uses ${name}, which script-names.ts does not know`);
    return literal(value);
  });
}
