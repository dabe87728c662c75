import { runCommandLine } from './program.ts';

// A reader such as `head` may close the pipe early, which is no failure. Other errors of these streams could not be printed.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

process.exitCode = await runCommandLine(process.argv.slice(2), process);
