import type { SandmanClient } from '@sandman/client';
import type { Command } from 'commander';
import { Output, type ProcessIo } from '../output.ts';
import { apiUrl, createClient, type GlobalOptions } from '../settings.ts';

/** Adds a command, or several, to the program. Each file in this folder exports one such function. */
export type AddCommand = (program: Command, io: ProcessIo) => void;

/** What a command that calls the API needs. */
export interface Invocation<Options> {
  readonly options: Options & GlobalOptions;
  readonly output: Output;
  readonly client: SandmanClient;
  /** The API's address. */
  readonly url: string;
}

/**
 * Reads the options of a command and makes its output and its client.
 *
 * @param command as commander passes it to an action
 * @throws CommandFailure on a wrong environment
 */
export function invocation<Options>(command: Command, io: ProcessIo): Invocation<Options> {
  const options = command.optsWithGlobals<Options & GlobalOptions>();
  const output = new Output(io, { json: options.json ?? false, color: options.color });
  return { options, output, client: createClient(options, io.env), url: apiUrl(options, io.env) };
}
