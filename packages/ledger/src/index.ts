export { reasonOf, refusalOf } from './address.ts';
export { Ledger, type LedgerWrite } from './ledger.ts';
export { type LedgerEvent, type LedgerSession, sessionOf } from './rows.ts';
