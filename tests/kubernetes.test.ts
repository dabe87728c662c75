import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lacks } from '@sandman/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { readBy } from '../scripts/kubernetes/environment.ts';
import { containers, type KubeObject, workloads } from '../scripts/kubernetes/object.ts';
import { schemaFindings } from '../scripts/kubernetes/schemas.ts';

const CHECK = fileURLToPath(new URL('../scripts/check-kubernetes.ts', import.meta.url));
const HOME = fileURLToPath(new URL('../deploy/kustomize', import.meta.url));

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function check(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CHECK, ...args], { encoding: 'utf8', env, maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      resolve({ status: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

const manifests = new Map<string, string>();

/** Renders an overlay and returns its objects, which a test may change. Runs kubectl once per overlay. */
function rendered(overlay: string): KubeObject[] {
  const manifest =
    manifests.get(overlay) ?? spawnSync('kubectl', ['kustomize', join(HOME, 'overlays', overlay)], { encoding: 'utf8' }).stdout;
  manifests.set(overlay, manifest);
  return parseAllDocuments(manifest).map((document) => document.toJS());
}

type Operation = readonly ['add' | 'replace' | 'remove', path: string, value?: unknown];

interface Broken {
  readonly overlay?: 'dev' | 'production';
  readonly components?: readonly string[];
  /** Kind and name of the object that the operations change. */
  readonly of?: readonly [kind: string, name: string];
  readonly patch?: readonly Operation[];
  readonly literals?: readonly string[];
  /** An additional object in the overlay. */
  readonly beside?: object;
  readonly says: string;
}

const API = ['Deployment', 'sandman-api'] as const;
const WORKER = ['Deployment', 'sandman-worker'] as const;
const DASHBOARD = ['Deployment', 'sandman-dashboard'] as const;
const SCALED = ['ScaledObject', 'sandman-worker'] as const;
const POD = '/spec/template/spec';
const CONTAINER = `${POD}/containers/0`;
const RESTRICTED = '(restricted Pod Security Standard)';

/** Mistakes that operators may make in an overlay, and the one line that the check must print for each. */
const BROKEN: Record<string, Broken> = {
  'an unknown field of a spec': {
    of: WORKER,
    patch: [['add', '/spec/revisionHistroyLimit', 3]],
    says: "Deployment/sandman-worker: spec.revisionHistroyLimit: unknown field 'revisionHistroyLimit'",
  },
  'an unknown field deep in a container': {
    of: API,
    patch: [['add', `${CONTAINER}/livenessProbe/httpGet/prot`, 'http']],
    says: "Deployment/sandman-api: spec.template.spec.containers[0].livenessProbe.httpGet.prot: unknown field 'prot'",
  },
  'an unknown field of an object': {
    of: ['PodDisruptionBudget', 'sandman-api'],
    patch: [['add', '/sepc', {}]],
    says: "PodDisruptionBudget/sandman-api: sepc: unknown field 'sepc'",
  },
  'a wrong type': {
    of: API,
    patch: [['replace', `${CONTAINER}/ports/0/containerPort`, '3000']],
    says: 'Deployment/sandman-api: spec.template.spec.containers[0].ports[0].containerPort: must be integer',
  },
  'a field that must be there': {
    of: API,
    patch: [['remove', '/spec/selector']],
    says: 'Deployment/sandman-api: spec: must have required property selector',
  },
  'an unknown field of a ScaledObject': {
    of: SCALED,
    patch: [['add', '/spec/maxReplicas', 5]],
    says: "ScaledObject/sandman-worker: spec.maxReplicas: unknown field 'maxReplicas'",
  },
  'a wrong type in a ScaledObject': {
    of: SCALED,
    patch: [['replace', '/spec/triggers/0/metadata/threshold', 50]],
    says: 'ScaledObject/sandman-worker: spec.triggers[0].metadata.threshold: must be string',
  },
  'an unknown setting of the Prometheus trigger': {
    of: SCALED,
    patch: [['add', '/spec/triggers/0/metadata/treshold', '50']],
    says: "ScaledObject/sandman-worker: spec.triggers[0].metadata: unknown field 'treshold'",
  },
  'a missing setting of the Prometheus trigger': {
    of: SCALED,
    patch: [['remove', '/spec/triggers/0/metadata/query']],
    says: "ScaledObject/sandman-worker: spec.triggers[0].metadata: 'query' is missing",
  },
  'an unknown field of a ServiceMonitor': {
    of: ['ServiceMonitor', 'sandman-api'],
    patch: [['add', '/spec/endpoints/0/intervall', '15s']],
    says: "ServiceMonitor/sandman-api: spec.endpoints[0].intervall: unknown field 'intervall'",
  },
  'a kind that nobody knows': {
    beside: { apiVersion: 'example.com/v1', kind: 'CronTab', metadata: { name: 'tab' } },
    says: "CronTab/tab: no schema is known for kind 'CronTab' of apiVersion 'example.com/v1'",
  },
  'a misspelt environment variable': {
    of: WORKER,
    patch: [['add', `${CONTAINER}/env/-`, { name: 'WORKER_CONCURENCY', value: '80' }]],
    says: "Deployment/sandman-worker: container worker: 'WORKER_CONCURENCY' is no variable that it reads",
  },
  'a secret for a process that does not read it': {
    of: DASHBOARD,
    patch: [['add', `${CONTAINER}/env/-`, { name: 'API_KEYS', valueFrom: { secretKeyRef: { name: 'sandman', key: 'API_KEYS' } } }]],
    says: "Deployment/sandman-dashboard: container dashboard: 'API_KEYS' is no variable that it reads",
  },
  'all secrets at once': {
    of: DASHBOARD,
    patch: [['add', `${CONTAINER}/envFrom`, [{ secretRef: { name: 'sandman' } }]]],
    says: 'Deployment/sandman-dashboard: container dashboard: envFrom must not be used: each variable by its name',
  },
  'a required variable that is missing': {
    of: DASHBOARD,
    patch: [['remove', `${CONTAINER}/env/0`]],
    says: "Deployment/sandman-dashboard: container dashboard: REDIS_URL is missing: it must be redis://… or rediss://… with one server's address or several of a Cluster, or redis+sentinel://…/NAME",
  },
  'a malformed setting': {
    literals: ['LATE_EFFECT_BOUND=30 seconds'],
    says: 'Deployment/sandman-worker: container worker: LATE_EFFECT_BOUND is malformed: it must be a duration such as 500ms, 30s or 5m, from 1ms to 365d',
  },
  'a misspelt setting': {
    literals: ['LOG_LEVLE=debug'],
    says: "ConfigMap/sandman-*: no container takes its key 'LOG_LEVLE'",
  },
  'a key that the generated Secret does not have': {
    overlay: 'dev',
    of: DASHBOARD,
    patch: [['replace', `${CONTAINER}/env/0/valueFrom/secretKeyRef/key`, 'redis-url']],
    says: "Deployment/sandman-dashboard: container dashboard: REDIS_URL: Secret 'sandman-*' has no key 'redis-url'",
  },
  'a ConfigMap that is not there': {
    of: DASHBOARD,
    patch: [['add', `${CONTAINER}/env/-`, { name: 'HOST', valueFrom: { configMapKeyRef: { name: 'other', key: 'HOST' } } }]],
    says: "Deployment/sandman-dashboard: container dashboard: HOST: there is no ConfigMap 'other'",
  },
  "a container of ours that is not called by its app's name": {
    of: DASHBOARD,
    patch: [['replace', `${CONTAINER}/name`, 'page']],
    says: "Deployment/sandman-dashboard: container page: 'page' is no folder of apps/",
  },
  'a privileged container': {
    of: API,
    patch: [['add', `${CONTAINER}/securityContext/privileged`, true]],
    says: `Deployment/sandman-api: container api: privileged must not be set ${RESTRICTED}`,
  },
  'a container that may run as root': {
    of: API,
    patch: [['remove', `${POD}/securityContext/runAsNonRoot`]],
    says: `Deployment/sandman-api: container api: runAsNonRoot must be true ${RESTRICTED}`,
  },
  'a container that keeps its capabilities': {
    of: API,
    patch: [['replace', `${CONTAINER}/securityContext/capabilities/drop`, ['NET_RAW']]],
    says: `Deployment/sandman-api: container api: capabilities.drop must have ALL ${RESTRICTED}`,
  },
  'a container that can write to its image': {
    of: API,
    patch: [['remove', `${CONTAINER}/securityContext/readOnlyRootFilesystem`]],
    says: `Deployment/sandman-api: container api: readOnlyRootFilesystem must be true ${RESTRICTED}`,
  },
  'a volume of the node': {
    of: API,
    patch: [['add', `${POD}/volumes`, [{ name: 'node', hostPath: { path: '/' } }]]],
    says: `Deployment/sandman-api: volume node: 'hostPath' is not allowed ${RESTRICTED}`,
  },
  "the node's network": {
    of: WORKER,
    patch: [['add', `${POD}/hostNetwork`, true]],
    says: `Deployment/sandman-worker: hostNetwork must not be set ${RESTRICTED}`,
  },
  'less time than a drain takes': {
    of: WORKER,
    patch: [['replace', `${POD}/terminationGracePeriodSeconds`, 25]],
    says: 'Deployment/sandman-worker: terminationGracePeriodSeconds must be over the 25 s of a drain',
  },
  'no limit of memory': {
    of: WORKER,
    patch: [['remove', `${CONTAINER}/resources/limits`]],
    says: 'Deployment/sandman-worker: container worker: resources.limits.memory is missing',
  },
  'a misspelt resource': {
    of: WORKER,
    patch: [['replace', `${CONTAINER}/resources/requests`, { cpu: '1', memroy: '256Mi' }]],
    says: 'Deployment/sandman-worker: container worker: resources.requests.memory is missing',
  },
  'nobody asks whether it is ready': {
    of: WORKER,
    patch: [['remove', `${CONTAINER}/readinessProbe`]],
    says: 'Deployment/sandman-worker: container worker: readinessProbe is missing',
  },
  'a probe of a port that the container does not have': {
    of: WORKER,
    patch: [['replace', `${CONTAINER}/readinessProbe/httpGet/port`, 'http']],
    says: "Deployment/sandman-worker: container worker: a probe asks port 'http', which it does not have",
  },
  'a Service that selects nobody': {
    of: ['Service', 'sandman-dashboard'],
    patch: [['replace', '/spec/selector', { app: 'dashboard' }]],
    says: 'Service/sandman-dashboard: spec.selector selects no pods',
  },
  'a Service to a port that nobody has': {
    of: ['Service', 'sandman-dashboard'],
    patch: [['replace', '/spec/ports/0/targetPort', 'web']],
    says: "Service/sandman-dashboard: targetPort: no selected pod has a port 'web'",
  },
  'a Deployment that does not select its own pods': {
    of: DASHBOARD,
    patch: [['add', '/spec/selector/matchLabels/tier', 'web']],
    says: "Deployment/sandman-dashboard: spec.selector does not select the template's own pods",
  },
  'pods that are not spread': {
    of: API,
    patch: [['replace', `${POD}/topologySpreadConstraints/0/labelSelector/matchLabels`, { app: 'api' }]],
    says: "Deployment/sandman-api: topologySpreadConstraints: that over topology.kubernetes.io/zone does not select the template's own pods",
  },
  'a PodDisruptionBudget for nobody': {
    of: ['PodDisruptionBudget', 'sandman-worker'],
    patch: [['replace', '/spec/selector/matchLabels', { app: 'worker' }]],
    says: 'PodDisruptionBudget/sandman-worker: spec.selector selects no pods',
  },
  'a NetworkPolicy for nobody': {
    of: ['NetworkPolicy', 'sandman-to-redis'],
    patch: [['replace', '/spec/podSelector/matchExpressions/0/values', ['sandman']]],
    says: 'NetworkPolicy/sandman-to-redis: spec.podSelector selects no pods',
  },
  'a NetworkPolicy to nobody': {
    overlay: 'dev',
    of: ['NetworkPolicy', 'sandman-to-redis'],
    patch: [['replace', '/spec/egress/0/to/0/podSelector/matchLabels', { app: 'redis' }]],
    says: `NetworkPolicy/sandman-to-redis: a peer's podSelector selects no pods: {"matchLabels":{"app":"redis"}}`,
  },
  'a NetworkPolicy for a port that nobody has': {
    overlay: 'dev',
    of: ['NetworkPolicy', 'sandman-to-redis'],
    patch: [['replace', '/spec/egress/0/ports/0/port', 6380]],
    says: "NetworkPolicy/sandman-to-redis: port: no selected pod has a port '6380'",
  },
  'a ServiceMonitor of no Service': {
    of: ['ServiceMonitor', 'sandman-worker'],
    patch: [['replace', '/spec/selector/matchLabels', { app: 'worker' }]],
    says: 'ServiceMonitor/sandman-worker: spec.selector selects no Service',
  },
  'a ServiceMonitor of a port that its Service does not have': {
    of: ['ServiceMonitor', 'sandman-worker'],
    patch: [['replace', '/spec/endpoints/0/port', 'http']],
    says: "ServiceMonitor/sandman-worker: endpoints: port 'http' is none of its Services'",
  },
  'a scaler of nothing': {
    of: SCALED,
    patch: [['replace', '/spec/scaleTargetRef/name', 'worker']],
    says: "ScaledObject/sandman-worker: scaleTargetRef: there is no Deployment 'worker'",
  },
  'replicas beside a scaler': {
    of: WORKER,
    patch: [['add', '/spec/replicas', 3]],
    says: "ScaledObject/sandman-worker: scaleTargetRef: Deployment 'sandman-worker' sets replicas, which each apply would set back",
  },
  'two scalers of one Deployment': {
    components: ['worker-hpa'],
    says: "ScaledObject/sandman-worker: scaleTargetRef: HorizontalPodAutoscaler 'sandman-worker' scales Deployment 'sandman-worker' already",
  },
};

const missing = spawnSync('kubectl', ['version', '--client']).status === 0 ? null : 'install kubectl, 1.27 or later';

describe.skipIf(lacks('kubectl', missing))('deploy/kustomize', () => {
  let dir: string;
  beforeAll(() => {
    dir = realpathSync(mkdtempSync(join(tmpdir(), 'sandman-kustomize-')));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  /** Writes an overlay on top of another overlay. Returns its directory. */
  function write(name: string, { overlay = 'production', components = [], of, patch = [], literals, beside }: Broken): string {
    const own = join(dir, name.replaceAll(/\W+/g, '-'));
    mkdirSync(own);
    if (beside) writeFileSync(join(own, 'beside.yaml'), stringify(beside));
    const kustomization = {
      namespace: 'sandman',
      resources: [relative(own, join(HOME, 'overlays', overlay)), ...(beside ? ['beside.yaml'] : [])],
      components: components.map((component) => relative(own, join(HOME, 'components', component))),
      ...(literals && { configMapGenerator: [{ name: 'sandman', behavior: 'merge', literals }] }),
      ...(of && {
        patches: [{ target: { kind: of[0], name: of[1] }, patch: JSON.stringify(patch.map(([op, path, value]) => ({ op, path, value }))) }],
      }),
    };
    writeFileSync(join(own, 'kustomization.yaml'), stringify(kustomization));
    return own;
  }

  // Tests that run the check are concurrent, because each starts at least one process.
  it.concurrent('passes, each overlay of it', async () => {
    const { status, stdout, stderr } = await check([]);
    expect(stderr).toBe('');
    expect(stdout.replaceAll(/\d+/g, 'N').trim().split('\n').sort()).toEqual([
      'overlays/dev: N objects, all is well',
      'overlays/openshift: N objects, all is well',
      'overlays/production-hpa: N objects, all is well',
      'overlays/production: N objects, all is well',
    ]);
    expect(status).toBe(0);
  });

  it('holds no secret for production', () => {
    for (const overlay of ['production', 'production-hpa', 'openshift']) {
      const kinds = rendered(overlay).map(({ kind }) => kind);
      expect(kinds).toContain('ConfigMap');
      expect(kinds).not.toContain('Secret');
    }
  });

  it('leaves user and group to OpenShift, whose DNS it reaches', () => {
    const objects = rendered('openshift');
    const pods = workloads(objects);
    expect(pods.map(({ object }) => object.metadata.name).sort()).toEqual(['sandman-api', 'sandman-dashboard', 'sandman-worker']);
    for (const pod of pods) {
      const contexts = [pod.template.spec!.securityContext, ...containers(pod).map(({ securityContext }) => securityContext)];
      for (const context of contexts) {
        for (const fixed of ['runAsUser', 'runAsGroup', 'fsGroup', 'supplementalGroups']) expect(context).not.toHaveProperty(fixed);
      }
    }
    const dns = objects.find(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'sandman-dns');
    expect(JSON.stringify(dns)).toContain('"openshift-dns"');
    expect(JSON.stringify(dns)).toContain('"port":5353');
    expect(JSON.stringify(dns)).not.toContain('kube-system');
  });

  it('hands each process all that it reads, but where to listen', () => {
    const given = new Map(
      workloads(rendered('production'))
        .flatMap(containers)
        .map(({ name, env }) => [name, (env ?? []).map((variable) => variable.name)]),
    );
    for (const app of ['api', 'worker', 'dashboard']) {
      const settings = readBy(app)!.filter((name) => name !== 'HOST' && !name.endsWith('PORT'));
      expect(settings).toContain('REDIS_URL');
      expect(given.get(app), app).toEqual(expect.arrayContaining(settings));
    }
  });

  it.concurrent('one broken overlay fails among sound ones', async () => {
    const broken = write('one', {
      of: WORKER,
      patch: [
        ['add', '/spec/replcas', 3],
        ['add', `${CONTAINER}/securityContext/privileged`, true],
      ],
      says: '',
    });
    expect(await check([join(HOME, 'overlays/production'), broken])).toEqual({
      status: 1,
      stdout: expect.stringMatching(/^overlays\/production: \d+ objects, all is well\n$/),
      stderr:
        `${broken}: Deployment/sandman-worker: spec.replcas: unknown field 'replcas'\n` +
        `${broken}: Deployment/sandman-worker: container worker: privileged must not be set ${RESTRICTED}\n`,
    });
  });

  describe('finds in an overlay', () => {
    const found = new Map<string, string[]>();

    // Many overlays per run, because loading the schemas takes long; two runs at once, because kubectl takes long for each overlay.
    beforeAll(async () => {
      const dirs = Object.entries(BROKEN).map(([name, broken]) => [name, write(name, broken)] as const);
      const own = dirs.map(([, dir]) => dir);
      const half = Math.ceil(own.length / 2);
      const runs = await Promise.all([check(own.slice(0, half)), check(own.slice(half))]);
      expect(runs.map(({ status }) => status)).toEqual([1, 1]);
      const lines = runs.flatMap(({ stderr }) => stderr.trim().split('\n'));
      for (const [name, own] of dirs) {
        const prefix = `${own}: `;
        const said = lines.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
        // The names of generated objects end in a hash.
        found.set(
          name,
          said.map((line) => line.replaceAll(/sandman-[a-z0-9]{10}\b(?=[':])/g, 'sandman-*')),
        );
      }
    });

    it.each(Object.entries(BROKEN))('%s', (name, { says }) => {
      expect(found.get(name)).toEqual([says]);
    });
  });

  it.concurrent('what kubectl cannot render is a finding', async () => {
    const broken = write('not-rendered', {
      of: ['Deployment', 'nobody'],
      patch: [['remove', '/spec/nothing']],
      beside: { kind: 'Nameless' },
      says: '',
    });
    const empty = join(dir, 'empty');
    mkdirSync(empty);
    writeFileSync(join(empty, 'kustomization.yaml'), 'namePrefix: nothing-');
    const { status, stdout, stderr } = await check([broken, empty]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/Nameless/);
    expect(stderr).toContain(`${empty}: `);
  });

  it.concurrent('wrong arguments, and a machine without kubectl, are one line and exit code 2', async () => {
    const nowhere = join(dir, 'nowhere');
    const [elsewhere, unknown, without, help] = await Promise.all([
      check([nowhere]),
      check(['--strict']),
      check([], { PATH: dir }),
      check(['--help']),
    ]);
    expect(elsewhere).toMatchObject({ status: 2, stderr: `${nowhere} has no kustomization.yaml (--help says more)\n` });
    expect(unknown).toMatchObject({ status: 2, stderr: expect.stringMatching(/^.*'--strict'.*\n$/) });
    expect(without).toMatchObject({ status: 2, stderr: expect.stringMatching(/^kubectl.*\n$/) });
    expect(help).toMatchObject({ status: 0, stdout: expect.stringContaining('usage: ') });
  });

  describe('the schemas', () => {
    /** Paths of maps whose keys are free to choose. */
    const FREE = /\/(labels|annotations|matchLabels|data|limits|requests|triggers\/\d+\/metadata)$|^Service\/spec\/selector$/;

    /** Calls `visit` for each object inside a value, with its path. */
    function walk(value: unknown, path: string, visit: (inner: Record<string, unknown>, path: string) => void): void {
      if (typeof value !== 'object' || value === null) return;
      for (const [key, inner] of Object.entries(value)) walk(inner, `${path}/${key}`, visit);
      if (!Array.isArray(value)) visit(value as Record<string, unknown>, path);
    }

    it('know no other field, wherever it stands in any object', () => {
      let tried = 0;
      const passed: string[] = [];
      for (const object of ['dev', 'production', 'production-hpa'].flatMap(rendered)) {
        walk(object, object.kind, (inner, path) => {
          if (FREE.test(path)) return;
          tried += 1;
          inner.unheardOf = 'x';
          if (!schemaFindings(object).unknown.some(({ problem }) => problem.endsWith("unknown field 'unheardOf'"))) passed.push(path);
          delete inner.unheardOf;
        });
      }
      expect(tried).toBeGreaterThan(500);
      expect(passed).toEqual([]);
    });

    it('know the type of each field, wherever it stands in any object', () => {
      let tried = 0;
      const passed: string[] = [];
      for (const object of ['dev', 'production', 'production-hpa'].flatMap(rendered)) {
        walk(object, object.kind, (inner, path) => {
          for (const [field, value] of Object.entries(inner)) {
            tried += 1;
            inner[field] = typeof value === 'object' ? 'x' : {};
            const { wrong } = schemaFindings(object);
            if (wrong.length === 0) passed.push(`${path}/${field}`);
            inner[field] = value;
          }
        });
      }
      expect(tried).toBeGreaterThan(1_000);
      expect(passed).toEqual([]);
    });
  });

  const without = spawnSync('promtool', ['--version']).error ? "install Debian's prometheus package, for its promtool" : null;

  it.skipIf(lacks('promtool', without))('Prometheus understands what KEDA asks it', () => {
    const scaled = rendered('production').find(({ kind }) => kind === 'ScaledObject') as unknown as {
      spec: { triggers: { metadata: { query: string } }[] };
    };
    const rules = scaled.spec.triggers.map(({ metadata }) => ({ record: 'asked:by_keda', expr: metadata.query }));
    expect(rules.length).toBe(1);
    const file = join(dir, 'rules.json');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'keda', rules }] }));
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
    expect(status, `${stdout}${stderr}`).toBe(0);
  });
});
