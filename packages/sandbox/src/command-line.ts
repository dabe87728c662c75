/** Thrown for a mistake of the caller; {@link runCommand} prints it in one line and exits with 2. */
export class WrongArgument extends Error {}

/**
 * Parses the number of an option; undefined if the option is not given.
 *
 * @throws WrongArgument that names the option and its range
 */
export function parseNumberOption(
  name: string,
  text: string | undefined,
  { least, most, whole = true }: { readonly least: number; readonly most: number; readonly whole?: boolean },
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
    throw new WrongArgument(`--${name} must be a ${whole ? 'whole ' : ''}number from ${least} to ${most}`);
  }
  return value;
}

/** Runs a command and sets its result as exit code. Wrong arguments print one line and exit with 2, any other failure with 1. */
export async function runCommand(main: (args: string[]) => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    const wrong = error instanceof WrongArgument || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
    console.error(wrong ? `${(error as Error).message.split('\n')[0]} (--help says more)` : error);
    process.exitCode = wrong ? 2 : 1;
  }
}
