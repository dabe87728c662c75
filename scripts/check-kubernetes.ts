/**
 * `npm run check:kubernetes`: renders the overlays of deploy/kustomize and validates every object. It checks strictly by the
 * schemas of Kubernetes, KEDA and the Prometheus operator, and then what no schema covers: references, the environment, probes
 * and resources, and the restricted Pod Security Standard.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { runCommand, WrongArgument } from '../packages/sandbox/src/command-line.ts';
import { environmentFindings } from './kubernetes/environment.ts';
import type { KubeObject, ManifestFinding } from './kubernetes/object.ts';
import { podHealthFindings } from './kubernetes/pod-health.ts';
import { podSecurityFindings } from './kubernetes/pod-security.ts';
import { scalingFindings } from './kubernetes/scaling.ts';
import { schemaFindings } from './kubernetes/schemas.ts';
import { selectorFindings } from './kubernetes/selectors.ts';

const USAGE = `usage: npm run check:kubernetes -- [DIR ...]

Renders each kustomization (all of deploy/kustomize/overlays where none is named) with kubectl, and validates it.
Exit code 0: all is well; 1: something is wrong, a line each; 2: wrong arguments, or no kubectl.`;

const KUSTOMIZE_FOLDER = fileURLToPath(new URL('../deploy/kustomize', import.meta.url));

/** Renders a kustomization. @returns the objects; if there are none, what is wrong */
function render(dir: string): KubeObject[] | string {
  const { status, stdout, stderr, error } = spawnSync('kubectl', ['kustomize', dir], { encoding: 'utf8', maxBuffer: 64 * 2 ** 20 });
  if (error) throw new WrongArgument(`kubectl, 1.27 or later, cannot be run: ${error.message}`);
  if (status !== 0) return stderr.trim();
  const objects = parseAllDocuments(stdout).map((document) => document.toJS() as KubeObject);
  return objects.length > 0 ? objects : 'nothing is rendered';
}

function findingsOf(objects: readonly KubeObject[]): ManifestFinding[] {
  const schemas = objects.map(schemaFindings);
  const wrong = schemas.flatMap((findings) => findings.wrong);
  const found = [...wrong, ...schemas.flatMap(({ unknown }) => unknown)];
  // The other checks rely on the types of the objects, so they run only if the schemas hold.
  if (wrong.length > 0) return found;
  const checks = [podSecurityFindings, podHealthFindings, selectorFindings, scalingFindings, environmentFindings];
  return [...found, ...checks.flatMap((check) => check(objects))];
}

await runCommand(async (args) => {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { help: { type: 'boolean', short: 'h' } } });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const dirs =
    positionals.length > 0
      ? positionals
      : readdirSync(join(KUSTOMIZE_FOLDER, 'overlays')).map((name) => join(KUSTOMIZE_FOLDER, 'overlays', name));
  for (const dir of dirs) {
    if (!existsSync(join(dir, 'kustomization.yaml'))) throw new WrongArgument(`${dir} has no kustomization.yaml`);
  }
  let failed = false;
  for (const dir of dirs) {
    const within = relative(KUSTOMIZE_FOLDER, dir);
    const name = within.startsWith('..') ? dir : within;
    const rendered = render(dir);
    const lines =
      typeof rendered === 'string'
        ? [rendered]
        : findingsOf(rendered).map(({ object, problem }) => `${object.kind}/${object.metadata?.name}: ${problem}`);
    if (lines.length === 0) console.log(`${name}: ${rendered.length} objects, all is well`);
    for (const line of lines) console.error(`${name}: ${line}`);
    failed ||= lines.length > 0;
  }
  return failed ? 1 : 0;
});
