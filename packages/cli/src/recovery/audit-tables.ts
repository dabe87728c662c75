import { STATUS_STYLE } from '../session-columns.ts';
import type { Column } from '../table.ts';
import type { AuditFinding } from './finding.ts';
import type { RepairResult } from './repair.ts';

/** A finding with the result of its repair. */
export type RepairedFinding = AuditFinding & { readonly repair: RepairResult };

const UUID_COLUMN: Column<AuditFinding> = { title: 'UUID', cell: ({ uuid }) => uuid, least: 8 };

export const FINDING_COLUMNS: Column<AuditFinding>[] = [
  UUID_COLUMN,
  { title: 'USER', cell: ({ userId }) => userId, least: 8 },
  { title: 'STATUS', cell: ({ status }) => status, style: ({ status }) => STATUS_STYLE[status] },
  { title: 'FOUND', cell: ({ fault }) => fault },
];

export const REPAIR_COLUMNS: Column<RepairedFinding>[] = [
  UUID_COLUMN,
  { title: 'REPAIRED', cell: ({ repair }) => (repair.done ? 'yes' : 'no'), style: ({ repair }) => (repair.done ? 'green' : 'red') },
  { title: 'HOW', cell: ({ repair }) => repair.text, least: 20 },
];
