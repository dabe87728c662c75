import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  type Certificate,
  type DatabaseKind,
  lacks,
  makeCertificate,
  missingForTlsDatabase,
  opensslFound,
  startTlsDatabase,
  type TlsDatabase,
} from '@sandman/sandbox';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabasePool } from '../database-pool.ts';
import { Ledger } from '../ledger.ts';

/** A script that prints how the ledger's first use of a database ends: 'it is there' or the error's message. */
const ASKED = `
  const { Ledger } = await import(process.argv[1]);
  const ledger = new Ledger(process.argv[2]);
  const made = ledger.check().then(() => ledger.migrate());
  process.stdout.write(await made.then(() => 'it is there', (error) => error.message));
  await ledger.close();`;

function ask(url: string, env: Record<string, string> = {}): string {
  const entry = fileURLToPath(new URL('../index.ts', import.meta.url));
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', ASKED, entry, url], {
    env: { PATH: process.env.PATH ?? '', ...env },
    encoding: 'utf8',
    timeout: 25_000,
  });
  return stdout;
}

function missing(kind: DatabaseKind): string | null {
  return opensslFound() ? missingForTlsDatabase(kind) : 'install openssl';
}

/** The parameters that make a connection verify the server's certificate. */
const VERIFYING: Record<DatabaseKind, string[]> = {
  postgres: ['sslmode=verify-full', 'sslmode=verify-ca', 'sslmode=require'],
  mysql: ['ssl={"verifyIdentity":true}', 'ssl={}'],
};
const NOT_VERIFYING: Record<DatabaseKind, string> = { postgres: 'sslmode=no-verify', mysql: 'ssl={"rejectUnauthorized":false}' };

describe.each(['postgres', 'mysql'] as const)('%s with a certificate of a private authority', (kind) => {
  describe.skipIf(lacks(`${kind}-server`, missing(kind)))('over TLS', () => {
    let certificate: Certificate;
    let server: TlsDatabase;

    beforeAll(async () => {
      certificate = makeCertificate();
      server = await startTlsDatabase(kind, certificate);
    });

    afterAll(async () => {
      await server?.stop();
      certificate?.remove();
    });

    it.each(VERIFYING[kind])('%s: trusts what NODE_EXTRA_CA_CERTS names, and nothing else', (parameter) => {
      const url = `${server.url}?${parameter}`;
      expect(ask(url, { NODE_EXTRA_CA_CERTS: certificate.path })).toBe('it is there');
      expect(ask(url)).toMatch(/^DATABASE_URL must be .*: its certificate is not trusted: set NODE_EXTRA_CA_CERTS$/);
    });

    it('does not verify the certificate where that is asked for', () => {
      expect(ask(`${server.url}?${NOT_VERIFYING[kind]}`)).toBe('it is there');
    });

    it('without TLS the login is refused, and that is told', () => {
      expect(ask(server.url)).toMatch(/^DATABASE_URL must be .*: the database refuses the login, or the login without TLS$/);
    });

    it('a database that says nothing is given up over TLS, too', async () => {
      const { db, close } = createDatabasePool(`${server.url}?${NOT_VERIFYING[kind]}`, kind, 1_000);
      const wait = kind === 'postgres' ? sql`select pg_sleep(20)` : sql`select sleep(20)`;
      const from = performance.now();
      await expect(wait.execute(db)).rejects.toThrow('the database said nothing for 1 s');
      expect(performance.now() - from).toBeLessThan(15_000);
      await close();
    });

    if (kind === 'postgres')
      it('sslrootcert names a file of the trusted authority, and one that cannot be read is an error', () => {
        expect(ask(`${server.url}?sslmode=verify-full&sslrootcert=${certificate.path}`)).toBe('it is there');
        expect(() => new Ledger(`${server.url}?sslmode=verify-full&sslrootcert=/nowhere.pem`)).toThrow(
          /^DATABASE_URL must be .*sslrootcert, sslcert and sslkey must name files that this process can read$/,
        );
      });

    if (kind === 'mysql')
      it('a malformed ssl is an error that does not repeat it', () => {
        const wrong = () => new Ledger(`${server.url}?ssl={"key":hunter2}`);
        expect(wrong).toThrow(/^DATABASE_URL must be .*ssl must be JSON such as {"verifyIdentity":true}$/);
        expect(wrong).not.toThrow('hunter2');
      });
  });
});
