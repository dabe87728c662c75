import { execFile, execFileSync, spawn } from 'node:child_process';
import { chownSync, copyFileSync, existsSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Certificate } from '../certificate.ts';
import { freePort } from '../free-port.ts';
import { waitFor } from '../wait-for.ts';
import type { DatabaseKind } from './databases.ts';

/** How long a server may take until it listens, in ms. */
const START_MS = 60_000;

/** A database server for one test that refuses connections without TLS. */
export interface TlsDatabase {
  /** The URL of an empty database, without parameters. */
  readonly url: string;
  stop(): Promise<void>;
}

interface DatabaseRecipe {
  readonly remedy: string;
  /** The folder of its programs, which need not be on the PATH; undefined if they are not installed. */
  readonly bin: () => string | undefined;
  /** The user that runs it if the test runs as root, because the server refuses to run as root. */
  readonly user: string;
  readonly make: (bin: string, data: string) => string[];
  readonly run: (bin: string, dir: string, port: number) => string[];
  /** The signal that ends it at once. */
  readonly signal: NodeJS.Signals;
  readonly url: (port: number) => string;
}

function newestPath(pattern: string): string | undefined {
  return globSync(pattern)
    .toSorted((a, b) => a.localeCompare(b, undefined, { numeric: true }))
    .at(-1);
}

/** The names that the certificate and its key have in the server's folder. */
const [CERTIFICATE, KEY] = ['certificate.pem', 'key.pem'];

const DATABASE_RECIPES: Readonly<Record<DatabaseKind, DatabaseRecipe>> = {
  postgres: {
    remedy: 'install PostgreSQL (apt-get install postgresql)',
    bin: () => newestPath('/usr/lib/postgresql/*/bin'),
    user: 'postgres',
    make: (bin, data) => [`${bin}/initdb`, '-D', data, '-U', 'root', '-A', 'trust', '--no-sync', '--locale=C', '-E', 'UTF8'],
    run: (bin, dir, port) => [
      ...[`${bin}/postgres`, '-D', `${dir}/data`, '-p', `${port}`, '-k', '', '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off'],
      ...['-c', 'ssl=on', '-c', `ssl_cert_file=${dir}/${CERTIFICATE}`, '-c', `ssl_key_file=${dir}/${KEY}`],
      ...['-c', `hba_file=${dir}/hba.conf`],
    ],
    signal: 'SIGQUIT',
    url: (port) => `postgres://root@127.0.0.1:${port}/postgres`,
  },
  mysql: {
    remedy: 'install MariaDB (apt-get install mariadb-server)',
    bin: () => (existsSync('/usr/sbin/mariadbd') ? '/usr/sbin' : undefined),
    user: 'mysql',
    make: (_, data) => [
      ...['mariadb-install-db', '--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal'],
      ...['--skip-name-resolve', '--skip-test-db'],
    ],
    run: (bin, dir, port) => [
      ...[`${bin}/mariadbd`, '--no-defaults', `--datadir=${dir}/data`, `--port=${port}`, '--bind-address=127.0.0.1'],
      ...[`--socket=${dir}/socket`, `--pid-file=${dir}/pid`, '--skip-name-resolve', '--innodb-flush-log-at-trx-commit=0'],
      ...[`--ssl-cert=${dir}/${CERTIFICATE}`, `--ssl-key=${dir}/${KEY}`, '--require-secure-transport=ON'],
    ],
    signal: 'SIGKILL',
    // The only database that every server has from the start and that a test may write to.
    url: (port) => `mysql://root@127.0.0.1:${port}/mysql`,
  },
};

/** The user that runs the server: that of this process, or for root the one that the package created; null: it does not exist. */
function runner(user: string): { uid?: number; gid?: number } | null {
  if (process.getuid?.() !== 0) return {};
  try {
    const [uid, gid] = ['-u', '-g'].map((option) => Number(execFileSync('id', [option, user], { stdio: ['ignore', 'pipe', 'ignore'] })));
    return { uid: uid!, gid: gid! };
  } catch {
    return null;
  }
}

/** Returns what to install so that a server can be started; null if nothing is missing. */
export function missingForTlsDatabase(kind: DatabaseKind): string | null {
  const { bin, user, remedy } = DATABASE_RECIPES[kind];
  return bin() && runner(user) ? null : remedy;
}

/** Starts a server on 127.0.0.1 with a certificate. @throws Error if a server is not installed or does not start */
export async function startTlsDatabase(kind: DatabaseKind, certificate: Certificate): Promise<TlsDatabase> {
  const { bin: find, user, make, run, signal, url, remedy } = DATABASE_RECIPES[kind];
  const [bin, as] = [find(), runner(user)];
  if (!bin || !as) throw new Error(remedy);
  const own = (path: string) => {
    if (as.uid !== undefined && as.gid !== undefined) chownSync(path, as.uid, as.gid);
    return path;
  };
  const dir = own(mkdtempSync(join(tmpdir(), `sandman-${kind}-`)));
  const remove = () => rmSync(dir, { recursive: true, force: true });
  try {
    copyFileSync(certificate.path, join(dir, CERTIFICATE));
    copyFileSync(certificate.keyPath, join(dir, KEY));
    writeFileSync(join(dir, 'hba.conf'), 'hostssl all all 127.0.0.1/32 trust\n');
    mkdirSync(join(dir, 'data'), { mode: 0o700 });
    for (const name of [CERTIFICATE, KEY, 'hba.conf', 'data']) own(join(dir, name));
    // MariaDB deletes what is left of temporary tables in this folder, and in /tmp those of a server that runs.
    const options = { ...as, cwd: dir, env: { ...process.env, TMPDIR: dir } };
    const [maker, ...made] = make(bin, join(dir, 'data'));
    await promisify(execFile)(maker!, made, options);
    const port = await freePort();
    const [server, ...args] = run(bin, dir, port);
    const child = spawn(server!, args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
    const exited = new Promise((resolve) => child.once('exit', resolve));
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    await waitFor(`${kind} listens`, () => child.exitCode !== null || /ready (to accept connections|for connections)/.test(said), START_MS);
    if (child.exitCode !== null) throw new Error(`${kind} ended: ${said}`);
    return {
      url: url(port),
      async stop() {
        child.kill(signal);
        await exited;
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}
