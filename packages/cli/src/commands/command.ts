import type { SandmanClient } from '@sandman/client';
import type { Command } from 'commander';
import { Output, type Surroundings } from '../output.ts';
import { apiUrl, connect, type GlobalOptions } from '../settings.ts';

/** What each file here gives: it adds its command, or a family of them, to the program. */
export type AddCommand = (program: Command, surroundings: Surroundings) => void;

/** What a command that talks to the API works with. */
export interface Invocation<Options> {
  readonly options: Options & GlobalOptions;
  readonly output: Output;
  readonly client: SandmanClient;
  /** Where the API is. */
  readonly url: string;
}

/**
 * @param command as commander passes it to an action
 * @throws CommandFailure on a wrong environment
 */
export function invocation<Options>(command: Command, surroundings: Surroundings): Invocation<Options> {
  const options = command.optsWithGlobals<Options & GlobalOptions>();
  const output = new Output(surroundings, { json: options.json ?? false, color: options.color });
  return { options, output, client: connect(options, surroundings.env), url: apiUrl(options, surroundings.env) };
}
