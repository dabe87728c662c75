import { describe, expect, it } from 'vitest';
import { type Ended, runNode } from './node.fixture.ts';

/** Starts tracing with these variables, runs `act`, and closes. */
function traced(env: Record<string, string>, act: string): Promise<Ended> {
  return runNode(`
    import { createRequire } from 'node:module';
    import { trace } from '@opentelemetry/api';
    import { annotate, createLogger, startTracing } from './index.ts';
    Object.assign(process.env, ${JSON.stringify(env)});
    const logger = createLogger('info', 'probe');
    const tracing = await startTracing('api', logger);
    const loaded = Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('/@opentelemetry/sdk-'));
    const inSpan = (run) => trace.getTracer('probe').startActiveSpan('probed', (span) => (run(), span.end()));
    ${act}
    await tracing.close();
  `).ended;
}

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' };

// Concurrent, because each test runs a process of its own.
describe.concurrent('whether anything is traced', () => {
  const say = 'console.log(JSON.stringify([tracing.requests !== null, tracing.jobs !== undefined, loaded]));';

  it.each<[Record<string, string>]>([
    [{}],
    [{ OTEL_SERVICE_NAME: 'mine', OTEL_TRACES_SAMPLER: 'always_on' }],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: '', OTEL_TRACES_EXPORTER: ' ' }],
    [{ ...ENDPOINT, OTEL_SDK_DISABLED: 'True' }],
    [{ ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }],
  ])('not under %j, and nothing of it is loaded', async (env) => {
    expect(await traced(env, say)).toEqual({ code: 0, stdout: '[false,false,false]\n', stderr: '' });
  });

  it.each<[Record<string, string>]>([
    [ENDPOINT],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:1/v1/traces', OTEL_SDK_DISABLED: 'false' }],
    [{ OTEL_TRACES_EXPORTER: 'console' }],
  ])('it is under %j', async (env) => {
    expect(await traced(env, say)).toEqual({ code: 0, stdout: '[true,true,true]\n', stderr: '' });
  });
});

it.concurrent('lines that a library gives to OpenTelemetry are not sent', async () => {
  const act = `
    const sdk = createRequire(createRequire(import.meta.url).resolve('@opentelemetry/sdk-node'));
    sdk('@opentelemetry/api-logs').logs.getLogger('probe').emit({ body: 'not ours' });
  `;
  expect(await traced({ ...ENDPOINT, OTEL_LOGS_EXPORTER: 'console' }, act)).toEqual({ code: 0, stdout: '', stderr: '' });
});

describe.concurrent('what a span says', () => {
  const CONSOLE = { OTEL_TRACES_EXPORTER: 'console' };

  it.each<[string, Record<string, string>]>([
    ['sandman-api', {}],
    ['mine', { OTEL_SERVICE_NAME: 'mine' }],
    ['ours', { OTEL_RESOURCE_ATTRIBUTES: 'service.name=ours,deployment.environment.name=test' }],
  ])('its service is %s under %j', async (name, env) => {
    const { stdout } = await traced({ ...CONSOLE, ...env }, 'inSpan(() => {});');
    expect(stdout).toContain(`'service.name': '${name}'`);
  });

  it('what it is about; and a line that is written inside it says where it belongs', async () => {
    const act = "inSpan(() => (annotate({ session: 'a', cause: 'idle' }), logger.info('inside'))); logger.info('outside');";
    const { stdout } = await traced(CONSOLE, act);
    expect(stdout).toMatch(/'sandman.session': 'a',\s+'sandman.cause': 'idle'/);
    const traceId = /traceId: '([0-9a-f]{32})'/.exec(stdout)?.[1];
    const lines = stdout.split('\n').filter((line) => line.startsWith('{"'));
    expect(lines.map((line) => JSON.parse(line)).map(({ msg, traceId: of }) => [msg, of])).toEqual([
      ['inside', traceId],
      ['outside', undefined],
    ]);
  });
});
