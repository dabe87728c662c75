import { run } from './program.ts';

// `| head` leaves before the end: nothing to say about. What else a stream reports has no one left to be told.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

process.exitCode = await run(process.argv.slice(2), process);
