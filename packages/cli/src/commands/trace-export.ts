import { Option } from 'commander';
import { durationOption } from '../options.ts';
import type { ExportOptions } from '../traces/export.ts';
import type { AddCommand } from './command.ts';

const NOTES = `
From the ledger, where DATABASE_URL says one, else from Redis (REDIS_URL,
KEY_PREFIX, SHARDS), which keeps the last 100,000 changes of each shard at least.

What is known of a user is when each time awake began and when they were last
active in it. In between they were never away for as long as it took their
session to fall asleep, so lines are written in between, marked
  "inferred": true
For policies that sleep no sooner than the one that was in use, such a trace is
as good as one with every message. For shorter ones it knows nothing: try those
live, as SHADOW_POLICIES, or take a trace from an access log.

Example:
  sandman trace export --output lived.ndjson
  sandman simulate lived.ndjson --policy conservative`;

/** Adds `sandman trace export`, which makes a trace of what a running Sandman knows about its users. */
export const addTraceExport: AddCommand = (trace, system) => {
  trace
    .command('export')
    .summary('take one from a running Sandman, for longer policies')
    .description('Takes a trace from what a running Sandman keeps: changes of status, and when users were last active.')
    .addOption(
      new Option('--idle <duration>', 'the sleepAfter that was in use, or the shortest of several')
        .argParser(durationOption())
        .default(900_000, '15m'),
    )
    .option('-o, --output <file>', 'overwrites it; without this, to stdout')
    .addHelpText('after', NOTES)
    .action(async (options: ExportOptions) => {
      // Loaded only here: its modules take a while to load, and the other commands do not need them.
      const { exportTrace } = await import('../traces/export.ts');
      await exportTrace(options, system);
    });
};
