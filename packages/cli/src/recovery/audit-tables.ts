import { STATUS_STYLE } from '../session-columns.ts';
import type { Column } from '../table.ts';
import type { Finding } from './finding.ts';
import type { Repaired } from './repair.ts';

/** A finding with the result of its repair. */
export type Mended = Finding & { readonly repair: Repaired };

const UUID: Column<Finding> = { title: 'UUID', cell: ({ uuid }) => uuid, least: 8 };

export const FINDINGS: Column<Finding>[] = [
  UUID,
  { title: 'USER', cell: ({ userId }) => userId, least: 8 },
  { title: 'STATUS', cell: ({ status }) => status, style: ({ status }) => STATUS_STYLE[status] },
  { title: 'FOUND', cell: ({ fault }) => fault },
];

export const REPAIRS: Column<Mended>[] = [
  UUID,
  { title: 'MENDED', cell: ({ repair }) => (repair.done ? 'yes' : 'no'), style: ({ repair }) => (repair.done ? 'green' : 'red') },
  { title: 'HOW', cell: ({ repair }) => repair.text, least: 20 },
];
