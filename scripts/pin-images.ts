/**
 * `npm run pin:images`: pins the third-party images in Dockerfile, compose files and manifests. Each tag gets the digest that it
 * has now, as `name:tag@sha256:…`. A registry may move a tag at any time, but a digest always names the same image.
 */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runCommand, WrongArgument } from '../packages/sandbox/src/command-line.ts';

const USAGE = `usage: npm run pin:images -- [--check | --unpin | --list] [DIR]

Writes the digest of each image of others into Dockerfile, docker-compose.yml and deploy below DIR (this repository), in
place of an older one. It asks the registries with "docker buildx imagetools".
  --check  changes nothing: whether each image has the digest that its tag has now
  --unpin  removes the digests
  --list   prints the images as they stand there
Exit code 0: done, or all is well; 1: an image has no digest or another one, or its registry does not say it, a line each
(nothing is changed then); 2: wrong arguments, or no docker.`;

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));
const FILES = ['Dockerfile', 'docker-compose.yml', 'deploy/**/*.{yml,yaml}'];

/** A third-party image after FROM or image:. Those without a literal tag are stages of the Dockerfile or images of this project. */
const IMAGE = /^([ \t]*(?:FROM|(?:- )?image:)[ \t]+)([a-z\d][\w./:-]*:[\w.-]+)(@sha256:[\da-f]{64})?(?=\s|$)/gm;

/** Replaces the digest of each third-party image in a text. @param digestOf returns `@sha256:…`, or '' for none */
function withDigests(text: string, digestOf: (name: string, digest: string) => string): string {
  return text.replaceAll(IMAGE, (_, before: string, name: string, digest = '') => before + name + digestOf(name, digest));
}

/**
 * Asks the registry of an image for the digest of its tag.
 *
 * @returns `@sha256:…`; null if the registry does not give it, which is printed on standard error
 * @throws WrongArgument if docker is not on the PATH
 */
function digestInRegistry(name: string): string | null {
  const args = ['buildx', 'imagetools', 'inspect', name, '--format', '{{json .Manifest}}'];
  const { error, stdout, stderr } = spawnSync('docker', args, { encoding: 'utf8', timeout: 60_000 });
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') throw new WrongArgument('docker with buildx is not on the PATH');
  const [, digest] = /"digest": ?"(sha256:[\da-f]{64})"/.exec(stdout ?? '') ?? [];
  if (digest) return `@${digest}`;
  console.error(`${name}: ${(stderr ?? '').trim().split('\n').at(-1) || error?.message || 'the registry gives no digest'}`);
  return null;
}

await runCommand(async (args) => {
  const flag = { type: 'boolean' } as const;
  const options = { help: { type: 'boolean', short: 'h' }, check: flag, unpin: flag, list: flag } as const;
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if ([values.check, values.unpin, values.list].filter(Boolean).length > 1)
    throw new WrongArgument('--check, --unpin and --list exclude each other');
  const home = positionals[0] ?? REPOSITORY;
  const files = FILES.flatMap((pattern) => globSync(pattern, { cwd: home })).map((name) => ({
    path: join(home, name),
    text: readFileSync(join(home, name), 'utf8'),
  }));
  /** Each image, with the digests that the files give it; '' for none. */
  const found = new Map<string, Set<string>>();
  for (const { text } of files) {
    withDigests(text, (name, digest) => {
      found.set(name, (found.get(name) ?? new Set()).add(digest));
      return digest;
    });
  }
  if (found.size === 0) throw new WrongArgument(`${home} names no image of others`);
  if (values.list) {
    for (const [name, digests] of found) for (const digest of digests) console.log(name + digest);
    return 0;
  }

  const digests = new Map([...found.keys()].map((name) => [name, values.unpin ? '' : digestInRegistry(name)]));
  if ([...digests.values()].includes(null)) return 1;
  const stale = [...found].filter(([name, had]) => had.size > 1 || !had.has(digests.get(name)!)).map(([name]) => name);
  for (const name of stale) (values.check ? console.error : console.log)(`${name}: ${digests.get(name)?.slice(1) || 'no digest'}`);
  if (values.check) return stale.length === 0 ? 0 : 1;
  for (const { path, text } of files) {
    const pinned = withDigests(text, (name) => digests.get(name)!);
    if (pinned !== text) writeFileSync(path, pinned);
  }
  return 0;
});
