/**
 * `npm run check:manifests`: validates the manifests below a folder without rendering them: the YAML is well-formed, what a
 * kustomization names exists, a kustomization names every manifest, and each Kubernetes object fits its schema. It needs no
 * other tool; `npm run check:kubernetes` renders the overlays, with kubectl.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { runCommand, WrongArgument } from '../packages/sandbox/src/command-line.ts';
import type { KubeObject } from './kubernetes/object.ts';
import { schemaFindings } from './kubernetes/schemas.ts';

const USAGE = `usage: npm run check:manifests -- [DIR]

Validates the YAML files below DIR (deploy) without rendering them.
Exit code 0: all is well; 1: something is wrong, a line each; 2: wrong arguments.`;

const DEPLOY_FOLDER = fileURLToPath(new URL('../deploy', import.meta.url));

interface Kustomization extends KubeObject {
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
}

await runCommand(async (args) => {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { help: { type: 'boolean', short: 'h' } } });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const home = resolve(positionals[0] ?? DEPLOY_FOLDER);
  const files = globSync('**/*.{yaml,yml}', { cwd: home }).map((name) => join(home, name));
  if (files.length === 0) throw new WrongArgument(`${home} has no YAML files`);

  const findings: string[] = [];
  const report = (file: string, problem: string) => findings.push(`${relative(home, file)}: ${problem}`);
  const named = new Set<string>();
  const objects: [file: string, object: KubeObject][] = [];
  for (const file of files) {
    for (const document of parseAllDocuments(readFileSync(file, 'utf8'), { merge: true })) {
      for (const { message } of document.errors) report(file, message.split('\n')[0]!);
      const object = document.errors.length === 0 ? (document.toJS() as KubeObject | null) : null;
      if (object?.apiVersion?.startsWith('kustomize.config.k8s.io/')) {
        const { resources = [], components = [] } = object as Kustomization;
        for (const name of [...resources, ...components]) {
          const path = join(dirname(file), name);
          if (existsSync(path)) named.add(path);
          else report(file, `names ${name}, which does not exist`);
        }
      } else if (object?.apiVersion) objects.push([file, object]);
    }
  }
  for (const [file, object] of objects) {
    if (!named.has(file)) report(file, 'no kustomization names it');
    const { wrong, unknown } = schemaFindings(object);
    for (const { problem } of [...wrong, ...unknown]) report(file, `${object.kind}/${object.metadata?.name}: ${problem}`);
  }
  for (const line of findings) console.error(line);
  if (findings.length === 0) console.log(`${files.length} files with ${objects.length} objects, all is well`);
  return findings.length === 0 ? 0 : 1;
});
