import { assemble } from '@sandman/assembly';
import type { PolicySet } from '@sandman/core';
import { createLogger, type Running, refreshFleet, scraper, shared, startOpsServer } from '@sandman/runtime';
import { startWorker, type WorkerEnv } from './app.ts';
import type { WebhookClient } from './webhooks/webhook-client.ts';

/** How old these metrics may be at a scrape, in ms. The ledger's are costly: they count up to 100,000 events in each shard. */
const WEBHOOKS_MS = 1_000;
const LEDGER_MS = 15_000;

/**
 * Starts a worker, with webhooks and the ledger where they are configured, and its server for `/readyz` and `/metrics`.
 *
 * @param own the policies of the environment
 * @param client posts webhooks; null: none are sent
 * @param fail ends the process
 */
export async function startWorkerProcess(
  env: WorkerEnv,
  own: PolicySet,
  client: WebhookClient | null,
  fail: (error: unknown) => void,
): Promise<Running> {
  const logger = createLogger(env.LOG_LEVEL, 'worker');
  // Imported only where it is configured, because it takes as long to load as everything else.
  const startLedger = env.DATABASE_URL === '' ? null : await (await import('./ledger/open.ts')).openLedger(env.DATABASE_URL, logger);
  const { Webhooks } = client ? await import('./webhooks/webhooks.ts') : { Webhooks: null };
  // A dry run does not announce its policies.
  const assembly = await assemble('worker', env, { own, announces: !env.DRY_RUN, shadows: env.SHADOW_POLICIES, logger, fail });
  const { redis, keyspace, store, journal, sessionManager, metrics, fleet } = assembly;
  const sources = { redis, ...keyspace, store, logger };
  const webhooks =
    Webhooks &&
    client &&
    new Webhooks({ ...sources, journal, client, warnings: { sleep: env.SLEEP_WARNING, delete: env.DELETE_WARNING }, metrics });
  const ledgerWriter = startLedger?.({ ...sources, retention: env.LEDGER_RETENTION }) ?? null;
  const worker = startWorker(assembly, env, { webhooks, ledgerWriter });
  const refresh = [refreshFleet(metrics, fleet)];
  if (webhooks) refresh.push(shared(WEBHOOKS_MS, async () => metrics.webhookBacklog.set(await webhooks.backlog())));
  if (ledgerWriter)
    refresh.push(
      shared(LEDGER_MS, async () => {
        const { events, age } = await ledgerWriter.behind();
        metrics.ledgerBacklog.set(events);
        metrics.ledgerLag.set(age / 1_000);
      }),
    );
  let closing = false;
  const ops = await startOpsServer({
    host: env.HOST,
    port: env.METRICS_PORT,
    ready: async () => !closing && worker.isRunning() && (await assembly.ready()),
    scrape: scraper(metrics.registry, refresh),
  });
  logger.info({ port: ops.port }, 'worker is up');
  return {
    async close() {
      closing = true;
      sessionManager.drain();
      await worker.close();
      await ops.close();
      await assembly.close();
    },
  };
}
