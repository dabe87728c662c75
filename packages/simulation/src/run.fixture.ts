import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Runs the command line of the simulation in a process of its own. */
export function simulate(...args: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}
