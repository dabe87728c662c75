import type { Variable } from './variable-forms.ts';
import { type Reader, VARIABLES } from './variables.ts';

/** A variable is missing or malformed. The message has the variable's name and what is expected, never its value. */
export class EnvError extends Error {
  override readonly name = 'EnvError';
}

export type VariableName = keyof typeof VARIABLES;
export type Env<Name extends VariableName> = { readonly [N in Name]: ReturnType<(typeof VARIABLES)[N]['parse']> };

/**
 * Reads these variables, and no others. An empty variable counts as missing.
 *
 * @throws EnvError for the first that is missing or malformed
 */
export function readEnv<Name extends VariableName>(env: NodeJS.ProcessEnv, names: readonly Name[]): Env<Name> {
  const entries = names.map((name) => {
    const { expected, standard, parse }: Variable<unknown> = VARIABLES[name];
    const text = env[name] || standard;
    if (text === undefined) throw new EnvError(`${name} is missing: it ${expected}`);
    try {
      return [name, parse(text)];
    } catch {
      throw new EnvError(`${name} is malformed: it ${expected}`);
    }
  });
  return Object.fromEntries(entries) as Env<Name>;
}

type NameReadBy<R extends Reader> = {
  [N in VariableName]: R extends (typeof VARIABLES)[N]['readBy'][number] ? N : never;
}[VariableName];

/** Returns the names of the variables that a process reads. */
export function namesReadBy<R extends Reader>(reader: R): NameReadBy<R>[] {
  const names = Object.keys(VARIABLES) as VariableName[];
  return names.filter((name): name is NameReadBy<R> => (VARIABLES[name].readBy as readonly Reader[]).includes(reader));
}

/**
 * Reads the variables of a process.
 *
 * @throws EnvError for the first that is missing or malformed
 */
export function readEnvOf<R extends Reader>(reader: R, env: NodeJS.ProcessEnv): Env<NameReadBy<R>> {
  return readEnv(env, namesReadBy(reader));
}
