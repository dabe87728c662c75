import { type Command, Option } from 'commander';
import { numberOption, timeOption } from '../options.ts';
import { Output } from '../output.ts';
import type { RestoreOptions } from '../recovery/restore.ts';
import type { GlobalOptions } from '../settings.ts';
import type { AddCommand } from './command.ts';

/** Help text about the environment of commands that work on Redis and the database directly. */
export const DIRECT_ENVIRONMENT = `
It works on Redis and the database themselves, with the workers' environment:
REDIS_URL, KEY_PREFIX, SHARDS, DATABASE_URL, SESSION_MANAGER_URL,
SESSION_MANAGER_API_KEY, SESSION_MANAGER_TIMEOUT, LATE_EFFECT_BOUND, POLICIES,
DEFAULT_POLICY. They must be the same as theirs; it needs no API and no key of it.`;

const NOTES = `
For when Redis was lost: each session that the ledger has alive is written anew,
and its alarms are set. Before that its pod is asked for at the session-manager:
  there       active ones count as active now; sleeping ones stay asleep, and
              their deletes stay where they were; one found awake is kept awake
  not there   left out, and "deleted" in the ledger
  no answer   restored, and workers ask again: who may be in use is kept awake
A delete that passed while nobody could come starts anew. Say --lost-at to move
out every sleeper's delete by the time since.

Workers and APIs may run meanwhile: whatever is in Redis is left alone. After
Ctrl-C or a crash --merge goes on. To run it twice changes nothing.
${DIRECT_ENVIRONMENT}

With --json it is one document, {"dryRun", "seconds", "restored", "skipped",
"gone", "unread", "unknownPolicies", "failed"}.

Exit code: 1 where Redis is not empty, where the session-manager knows too few of
the sessions for its address to be right, or where a session failed.

Examples:
  sandman restore --dry-run
  sandman restore --rate 200
  sandman restore --merge --lost-at 2026-11-24T17:00:00Z`;

async function run(options: RestoreOptions & GlobalOptions, system: Parameters<AddCommand>[1]): Promise<void> {
  // Loaded only here: its modules take a while to load, and the other commands do not need them.
  const { restore } = await import('../recovery/restore.ts');
  await restore(options, new Output(system, { json: options.json ?? false, color: options.color }), system);
}

/** Adds `sandman restore`, which rebuilds the sessions in Redis from the ledger. */
export const addRestore: AddCommand = (program, system) => {
  program
    .command('restore')
    .summary('rebuild an empty Redis from the ledger')
    .description('Rebuilds an empty Redis from the ledger: sessions, and the alarms by which they sleep and are deleted.')
    .option('--merge', 'also where Redis is not empty: what is there is left alone')
    .addOption(new Option('--rate <n>', 'calls to the session-manager per second').argParser(numberOption(1, 100_000)).default(50))
    .addOption(
      new Option('--lost-at <time>', "when Redis was lost: sleepers' deletes move out by the time since, ISO 8601").argParser(timeOption),
    )
    .option('--force', "believe the session-manager's answers, however many pods it does not know")
    .option('--dry-run', 'only say what would be done')
    .addHelpText('after', NOTES)
    .action((_, self: Command) => run(self.optsWithGlobals<RestoreOptions & GlobalOptions>(), system));
};
