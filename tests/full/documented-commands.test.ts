import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Example, examplesOf, runExamples } from './console-blocks.ts';

const docs = (name: string) => new URL(`../../docs/${name}`, import.meta.url);

async function inFolder(examples: readonly Example[], check: (ran: readonly Example[], folder: string) => Promise<void> | void) {
  const folder = await mkdtemp(join(tmpdir(), 'sandman-doc-'));
  try {
    await check(await runExamples(examples, folder), folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

it('docs/policies.md: every command says what stands below it, and draws the pictures that are shown', async () => {
  const text = await readFile(docs('policies.md'), 'utf8');
  const examples = examplesOf(text);
  const pictures = [...text.matchAll(/\]\(images\/(\S+\.svg)\)/g)].map(([, name]) => name!);
  expect(pictures).toHaveLength(3);
  await inFolder(examples, async (ran, folder) => {
    expect(ran).toEqual(examples);
    for (const name of pictures) {
      // Compared as a boolean, because a text diff of an image is unreadable.
      const same = (await readFile(join(folder, name), 'utf8')) === (await readFile(docs(`images/${name}`), 'utf8'));
      expect(same, `${name} is what the command draws`).toBe(true);
    }
  });
}, 400_000);

it('docs/cli.md: every command says what stands below it, but for what is left out', async () => {
  const examples = examplesOf(await readFile(docs('cli.md'), 'utf8'));
  expect(examples.length).toBeGreaterThan(5);
  await inFolder(examples, (ran) => {
    for (const [i, { command, output }] of examples.entries()) {
      const said = ran[i]!.output;
      const left = output.startsWith('…\n') ? said.slice(-(output.length - 2)) : said;
      expect({ command, output: left }).toEqual({ command, output: output.replace(/^…\n/, '') });
    }
  });
}, 400_000);
