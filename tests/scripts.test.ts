import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bareEnvironment, programFile } from '@sandman/sandbox';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Runs a script of this repository with Node, from its root. */
function script(path: string, args: readonly string[] = [], env: Record<string, string> = bareEnvironment()) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [programFile(new URL(`../${path}`, import.meta.url)), ...args], {
    cwd: ROOT,
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sandman-scripts-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('npm run check:manifests', () => {
  const check = (dir: string) => script('scripts/check-manifests.ts', [dir]);

  it('finds nothing wrong with what is deployed', () => {
    const { status, stdout, stderr } = check('deploy');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^\d+ files with \d+ objects, all is well\n$/);
  });

  const FAULTS: readonly (readonly [path: string, text: string, said: RegExp])[] = [
    [
      'kustomize/base/service-account.yaml',
      'apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: sandman }\nautomount: false\n',
      /^kustomize\/base\/service-account\.yaml: ServiceAccount\/sandman: automount: unknown field 'automount'$/m,
    ],
    ['compose/ledger.yml', 'services: {\n', /^compose\/ledger\.yml: .*$/m],
    [
      'kustomize/base/more.yaml',
      'apiVersion: v1\nkind: Namespace\nmetadata: { name: x }\n',
      /^kustomize\/base\/more\.yaml: no kustomization names it$/m,
    ],
    [
      'kustomize/components/worker-hpa/kustomization.yaml',
      'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [hpa.yaml, gone.yaml]\n',
      /^kustomize\/components\/worker-hpa\/kustomization\.yaml: names gone\.yaml, which does not exist$/m,
    ],
  ];

  it('finds a field that no schema knows, YAML that is none, a manifest that no kustomization names, and a file that is not there', () => {
    cpSync(join(ROOT, 'deploy'), folder, { recursive: true });
    for (const [path, text] of FAULTS) writeFileSync(join(folder, path), text);
    const { status, stderr } = check(folder);
    for (const [, , said] of FAULTS) expect(stderr).toMatch(said);
    expect(stderr.trim().split('\n')).toHaveLength(FAULTS.length);
    expect(status).toBe(1);
  });

  it('refuses a folder without manifests', () => {
    mkdirSync(join(folder, 'empty'));
    expect(check(join(folder, 'empty'))).toMatchObject({ status: 2, stderr: expect.stringContaining('has no YAML files') });
  });
});

describe('npm run pin:images', () => {
  const DIGESTS = { 'node:24-bookworm-slim': 'a', 'redis:7': 'b', 'haproxy:3.2': 'c', 'postgres:17': 'd' };
  const TEXTS = [
    'Dockerfile',
    'docker-compose.yml',
    'deploy/compose/production.yml',
    'deploy/compose/ledger.yml',
    'deploy/kustomize/overlays/dev/redis.yaml',
  ];
  const copy = () => join(folder, 'copy');
  const texts = () => TEXTS.map((path) => readFileSync(join(copy(), path), 'utf8'));
  const pin = (...args: string[]) => script('scripts/pin-images.ts', [...args, copy()], { PATH: folder });

  /** Writes a fake docker that knows only the digests of these images. */
  function registry(digests: Readonly<Record<string, string>>): void {
    const cases = Object.entries(digests).map(([name, digit]) => `'${name}') echo '{"digest": "sha256:${digit.repeat(64)}"}' ;;`);
    const text = `#!/bin/sh\n[ "$1 $2 $3" = 'buildx imagetools inspect' ] || exit 1\ncase "$4" in\n${cases.join('\n')}\n*) echo "$4: not found" >&2; exit 1;;\nesac\n`;
    writeFileSync(join(folder, 'docker'), text, { mode: 0o755 });
  }

  beforeEach(() => {
    for (const path of ['Dockerfile', 'docker-compose.yml', 'deploy']) cpSync(join(ROOT, path), join(copy(), path), { recursive: true });
    expect(script('scripts/pin-images.ts', ['--unpin', copy()]).status).toBe(0);
  });

  it('pins each image of others and no other, renews what a tag has moved to, and can undo it', () => {
    const before = texts();
    registry(DIGESTS);
    expect(pin('--check')).toMatchObject({ status: 1, stderr: expect.stringContaining(`redis:7: sha256:${'b'.repeat(64)}\n`) });
    expect(texts()).toEqual(before);
    expect(pin().status).toBe(0);
    const pinned = texts();
    expect(pinned[0]).toContain(`\nFROM node:24-bookworm-slim@sha256:${'a'.repeat(64)} AS base\n`);
    expect(pinned[0]).toContain('\nFROM base AS manifests\n');
    expect(pinned[1]).toContain(`    image: redis:7@sha256:${'b'.repeat(64)}\n`);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: compose's own.
    expect(pinned[1]).toContain('image: sandman-api:${SANDMAN_VERSION:-dev}\n');
    expect(pinned[2]).toContain(`image: haproxy:3.2@sha256:${'c'.repeat(64)}\n`);
    expect(pinned[3]).toContain(`image: postgres:17@sha256:${'d'.repeat(64)}\n`);
    expect(pinned[4]).toContain(`image: redis:7@sha256:${'b'.repeat(64)}\n`);
    expect(pin('--check')).toEqual({ status: 0, stdout: '', stderr: '' });

    registry({ ...DIGESTS, 'redis:7': 'e' });
    expect(pin('--check')).toEqual({ status: 1, stdout: '', stderr: `redis:7: sha256:${'e'.repeat(64)}\n` });
    expect(pin()).toEqual({ status: 0, stdout: `redis:7: sha256:${'e'.repeat(64)}\n`, stderr: '' });
    expect(pin('--list').stdout).toContain(`redis:7@sha256:${'e'.repeat(64)}\n`);
    expect(texts()).toEqual(pinned.map((text) => text.replaceAll('b'.repeat(64), 'e'.repeat(64))));
    expect(pin('--unpin').status).toBe(0);
    expect(texts()).toEqual(before);
  });

  it('changes nothing where one of the images cannot be found, and says which', () => {
    const before = texts();
    registry({ ...DIGESTS, 'haproxy:3.2': 'x' });
    expect(pin()).toMatchObject({ status: 1, stderr: 'haproxy:3.2: the registry gives no digest\n' });
    registry({ 'redis:7': 'b' });
    expect(pin()).toMatchObject({ status: 1, stderr: expect.stringContaining('postgres:17: postgres:17: not found\n') });
    expect(texts()).toEqual(before);
  });

  it('says what it does, and refuses what it cannot do', () => {
    expect(pin('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('usage: npm run pin:images'), stderr: '' });
    expect(pin('--check', '--unpin')).toMatchObject({ status: 2, stderr: expect.stringMatching(/^--check, .*\n$/) });
    expect(pin('--loud')).toMatchObject({ status: 2, stderr: expect.stringMatching(/^.*'--loud'.*\n$/) });
    expect(pin()).toMatchObject({ status: 2, stderr: expect.stringMatching(/^docker .*\n$/) });
  });
});

it('npm run check:kubernetes says so where there is no kubectl', () => {
  const { status, stderr } = script('scripts/check-kubernetes.ts', [], { PATH: folder });
  expect(stderr).toMatch(/^kubectl, 1\.27 or later, cannot be run: .*\n$/);
  expect(status).toBe(2);
});

describe('npm run pictures', () => {
  const pictures = (...args: string[]) => script('tests/full/browser/pictures.ts', args);

  it('says what it does', () => {
    expect(pictures('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('npm run pictures'), stderr: '' });
  });

  it('refuses an argument that it does not know', () => {
    const { status, stdout, stderr } = pictures('--loud');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain("Unknown option '--loud'");
  });
});

describe('npm test', () => {
  const results = () => join(folder, 'results');
  const test = (...args: string[]) => script('scripts/test.ts', args, { ...bareEnvironment(), SANDMAN_TEST_RESULTS: results() });

  it('runs the files that are named, and ends with one line of counts, over all runs that are in its file of results', () => {
    const before = { files: [{ file: 'before', ms: 1, passed: 3, failed: 0, skipped: 1, broken: false }], strayErrors: 0, missing: {} };
    writeFileSync(results(), `${JSON.stringify(before)}\n`);
    const { status, stdout } = test('packages/core/src/intake.test.ts');
    expect(status, stdout).toBe(0);
    expect(stdout).toContain('packages/core/src/intake.test.ts');
    expect(stdout.trimEnd().split('\n').at(-1)).toBe(
      'Tests of 2 runs: 7 passed, 0 failed, 1 skipped in 2 files. The rest runs with: npm run test:all',
    );
  }, 60_000);

  it('fails where no file has that name', () => {
    expect(test('no-such-test')).toMatchObject({ status: 1, stderr: expect.stringContaining('No test files found') });
  });

  it('says what it does', () => {
    expect(test('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('npm run test:all') });
  });
});
