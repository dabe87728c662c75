import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

const run = promisify(execFile);

/** Runs the docker client from the root of the repository and returns its output. */
export async function docker(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { stdout } = await run('docker', args, { cwd: ROOT, env: { ...process.env, ...env }, maxBuffer: 1e8 });
  return stdout.trim();
}

/** Returns all that a container wrote. */
export async function logsOf(id: string): Promise<string> {
  const { stdout, stderr } = await run('docker', ['logs', id], { maxBuffer: 1e8 });
  return stdout + stderr;
}

/** Reads a field of `docker inspect` for a container or an image, by its path in Go's templates. */
export async function inspect<T>(id: string, path: string): Promise<T> {
  return JSON.parse(await docker(['inspect', '--format', `{{json ${path}}}`, id])) as T;
}

function dockerProblem(): string | null {
  const silent = { stdio: 'ignore', timeout: 60_000 } as const;
  try {
    execFileSync('docker', ['version'], silent);
  } catch {
    return 'start a Docker daemon (Debian: apt-get install docker.io)';
  }
  try {
    execFileSync('docker', ['compose', 'version'], silent);
  } catch {
    return "install docker's compose plugin, 2.24 or later";
  }
  return null;
}

/** What to do if Docker is missing, else null. */
export const missingDocker = dockerProblem();
