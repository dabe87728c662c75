import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { bareEnvironment, programFile } from '@sandman/sandbox';
import type { ProcessIo } from './output.ts';
import { runCommandLine } from './program.ts';

export const CLI = programFile(new URL('./main.ts', import.meta.url));

export interface CommandResult {
  /** Exit code; null if a signal ended the process. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running process. */
export interface RunningCommand {
  readonly child: ChildProcess;
  /** Returns what it has written so far. */
  stdout(): string;
  stderr(): string;
  readonly ended: Promise<CommandResult>;
}

/**
 * Starts a program with this environment and no other variables than those that every process needs.
 *
 * @param stdin its standard input; null leaves it open for the caller to write
 */
export function startProgram(
  program: string,
  args: readonly string[],
  env: Record<string, string>,
  stdin: string | null = '',
): RunningCommand {
  const child = spawn(program, args, { env: { ...bareEnvironment(), ...env }, stdio: 'pipe' });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    stderr += chunk;
  });
  // The process may end before it has read all of its input.
  child.stdin.on('error', () => {});
  if (stdin !== null) child.stdin.end(stdin);
  const ended = once(child, 'close').then(([code]) => ({ code, stdout, stderr }));
  return { child, stdout: () => stdout, stderr: () => stderr, ended };
}

/** Runs the command line in a process of its own, to its end. */
export function sandman(args: readonly string[], env: Record<string, string>, stdin?: string): Promise<CommandResult> {
  return startProgram(process.execPath, [CLI, ...args], env, stdin).ended;
}

/** Runs the command line in this process, which is faster; main.test.ts covers what only a process of its own has. */
export async function sandmanHere(args: readonly string[], env: Record<string, string>, input = ''): Promise<CommandResult> {
  const said = { stdout: '', stderr: '' };
  const into = (name: keyof typeof said) =>
    new Writable({
      decodeStrings: false,
      write(text: string, _, done) {
        said[name] += text;
        done();
      },
    });
  const io = { env, stdin: Readable.from([input]), stdout: into('stdout'), stderr: into('stderr') };
  const code = await runCommandLine(args, io as unknown as ProcessIo);
  return { code, ...said };
}

/** A server in Sandman's place. */
export interface StandIn extends AsyncDisposable {
  readonly url: string;
}

export async function startStandIn(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<StandIn> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const TIME = '2026-11-24T08:00:00.000Z';

/** Makes a Session as the API returns it. */
export function sessionAnswer(uuid: string, status = 'active') {
  const policy = { name: 'balanced', sleepAfter: '15m', deleteAfter: '24h', backgroundCap: '4h' };
  const none = { workspaceUrl: null, sleepAt: null, sleptAt: null, deleteAt: null, holdUntil: null, keepUntil: null, problem: null };
  return { uuid, userId: 'ada', status, policy, createdAt: TIME, lastActivity: TIME, ...none };
}

export function json(response: ServerResponse, body: unknown, status = 200, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** Returns the uuid in the path of a call. */
export const uuidOf = ({ url = '' }: IncomingMessage) => url.split('/')[3]!;

export const uuids = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `session-${String(from + i).padStart(4, '0')}`);
