import { findDatabase } from '@sandman/sandbox';
import { afterAll } from 'vitest';
import { testLedgerOn } from '../ledger.fixture.ts';

const mysql = await findDatabase('mysql');
afterAll(() => mysql.stop());

testLedgerOn(mysql);
