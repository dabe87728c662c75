/** The caller's mistake: told in one line, with exit code 2. */
export class WrongArgument extends Error {}

/**
 * The number that an option was given.
 *
 * @throws WrongArgument that names the option and its range
 */
export function numberOption(
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

/** Runs a command that answers its exit code; wrong arguments are one line and 2, any other failure is 1. */
export async function runCommand(main: (args: string[]) => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    const wrong = error instanceof WrongArgument || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
    console.error(wrong ? `${(error as Error).message.split('\n')[0]} (--help says more)` : error);
    process.exitCode = wrong ? 2 : 1;
  }
}
