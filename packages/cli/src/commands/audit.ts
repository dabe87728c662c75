import { type Command, Option } from 'commander';
import { durationOption, numberOption } from '../options.ts';
import { Output } from '../output.ts';
import type { AuditOptions } from '../recovery/audit.ts';
import type { GlobalOptions } from '../settings.ts';
import type { AddCommand } from './command.ts';
import { DIRECT_ENVIRONMENT } from './restore.ts';

const NOTES = `
Each session that the ledger has alive, or had until lately, is asked for at the
session-manager. What is found:
  leaked               its pod is there, though it is deleted
  gone                 its pod is not there, though it lives
  awake though asleep  its pod runs, though it has slept for more than a minute
  asleep though awake  its pod sleeps, though it has been active for more than a minute
Each is looked at twice, 3 s apart, the second time with its record in Redis:
that is the truth, and the ledger only follows.

--repair asks first. It has a worker look at what is gone or awake, which then
does what the record wants; a leaked pod it deletes at the session-manager, where
neither Redis nor the ledger has the session alive.
${DIRECT_ENVIRONMENT}

With --json it is one document, {"asked", "unread", "findings": [{"uuid", "userId",
"status", "fault", "repair"?: {"done", "text"}}]}.

Exit code: 0 where nothing is wrong, or all was repaired; 1 where something is.

Examples:
  sandman audit
  sandman audit --json | jq -r '.findings[] | [.uuid, .fault] | @tsv'
  sandman audit --repair --yes`;

async function run(options: AuditOptions & GlobalOptions, system: Parameters<AddCommand>[1]): Promise<void> {
  // Loaded only here: its modules take a while to load, and the other commands do not need them.
  const { audit } = await import('../recovery/audit.ts');
  await audit(options, new Output(system, { json: options.json ?? false, color: options.color }), system);
}

/** Adds `sandman audit`, which compares pods with their sessions. */
export const addAudit: AddCommand = (program, system) => {
  program
    .command('audit')
    .summary('compare the sessions with their pods')
    .description('Says which pods are not what they should be by the ledger and Redis, and mends that where it is told to.')
    .addOption(
      new Option('--deleted-within <duration>', 'look also for pods of sessions that were deleted since')
        .argParser(durationOption())
        .default(7 * 86_400_000, '7d'),
    )
    .addOption(new Option('--rate <n>', 'calls to the session-manager per second').argParser(numberOption(1, 100_000)).default(50))
    .option('--repair', 'mend what is found')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', NOTES)
    .action((_, self: Command) => run(self.optsWithGlobals<AuditOptions & GlobalOptions>(), system));
};
