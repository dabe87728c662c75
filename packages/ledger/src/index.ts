export { reasonOf, refusalOf } from './address.ts';
export { type LedgerEvent, type LedgerSession, sessionOf } from './entries.ts';
export { type Entries, Ledger } from './ledger.ts';
