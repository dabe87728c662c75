import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lacks } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { readBy } from '../../scripts/kubernetes/environment.ts';
import { containers, type KubeObject, workloads } from '../../scripts/kubernetes/object.ts';
import { schemaFindings } from '../../scripts/kubernetes/schemas.ts';
import { BROKEN, type Broken, CONTAINER, RESTRICTED, WORKER } from './kubernetes.fixture.ts';

const CHECK = fileURLToPath(new URL('../../scripts/check-kubernetes.ts', import.meta.url));
const HOME = fileURLToPath(new URL('../../deploy/kustomize', import.meta.url));

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

const missing = spawnSync('kubectl', ['version', '--client']).status === 0 ? null : 'install kubectl, 1.27 or later';

// kubectl takes seconds for each overlay, and its runs share the machine.
describe.skipIf(lacks('kubectl', missing))('deploy/kustomize', { timeout: 180_000 }, () => {
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
    }, 400_000);

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
