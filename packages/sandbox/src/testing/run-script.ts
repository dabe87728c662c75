import { execFile } from 'node:child_process';
import { programFile } from '../app-process.ts';

/** Runs a script of this repository to its end, in a process of its own. */
export function runScript(
  script: URL,
  ...args: string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [programFile(script), ...args], { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}
