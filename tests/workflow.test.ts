import { readFileSync } from 'node:fs';
import { validateWorkflow } from '@action-validator/core';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

const text = readFileSync(new URL('../.github/workflows/ci.yml', import.meta.url), 'utf8');
const { jobs } = parse(text) as { jobs: Record<string, { steps: { uses?: string; run?: string }[] }> };
const steps = Object.values(jobs).flatMap((job) => job.steps);

it('is a workflow that GitHub understands, and a misspelt one is none', () => {
  expect(validateWorkflow(text).errors).toEqual([]);
  expect(JSON.stringify(validateWorkflow(text.replace('runs-on', 'runs-onn')).errors)).toContain("'runs-onn'");
});

it('runs what everybody runs', () => {
  expect(steps.flatMap(({ run }) => run ?? [])).toEqual(['bash .ci/run']);
});

it('takes each action at a commit, which nobody can move, and says which version that is', () => {
  const used = text.split('\n').filter((line) => line.includes('uses:'));
  expect(used).toHaveLength(steps.filter(({ uses }) => uses).length);
  for (const line of used) expect(line).toMatch(/uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
});
