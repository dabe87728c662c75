import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as api from '@sandman/contracts';
import type { Static } from 'typebox';
import { expect, expectTypeOf, it } from 'vitest';
import { clientTypes } from '../../../scripts/client-types/declarations.ts';
import type {
  ActivityKind,
  BatchAnswer,
  Change,
  Duration,
  Policies,
  Policy,
  Saved,
  Savings,
  Session,
  SessionPage,
  Shadow,
  Spent,
  Status,
} from './api-types.ts';
import type { ErrorCode } from './errors.ts';
import type { ActivityTime, AskedPolicy, DeleteOptions, HoldEnd, KeepEnd, LogoutOptions } from './inputs.ts';
import type { Sessions } from './sessions.ts';
import type { WebhookEvent } from './webhooks.ts';

/** The members of a union of strings that are literals. */
type Literals<T> = T extends string ? (string extends T ? never : T) : never;
/** The keys of each member of a union. */
type KeysOf<T> = T extends unknown ? keyof T : never;

it('api-types.ts is what `npm run client:types` writes', () => {
  expect(readFileSync(join(import.meta.dirname, 'api-types.ts'), 'utf8')).toBe(clientTypes());
});

it('what the API answers is what the client says that it is', () => {
  expectTypeOf<Session>().toEqualTypeOf<Static<typeof api.SessionSchema>>();
  expectTypeOf<Policy>().toEqualTypeOf<Static<typeof api.PolicySchema>>();
  expectTypeOf<SessionPage>().toEqualTypeOf<Static<typeof api.ListAnswer>>();
  expectTypeOf<{ items: Change[] }>().toEqualTypeOf<Static<typeof api.HistoryAnswer>>();
  expectTypeOf<Policies>().toEqualTypeOf<Static<typeof api.PoliciesAnswer>>();
  expectTypeOf<Saved>().toEqualTypeOf<api.Saved>();
  expectTypeOf<Savings>().toEqualTypeOf<api.Savings>();
  expectTypeOf<Spent>().toEqualTypeOf<api.Spent>();
  expectTypeOf<Shadow>().toEqualTypeOf<api.Shadow>();
  expectTypeOf<Status>().toEqualTypeOf<Static<typeof api.Status>>();
  expectTypeOf<BatchAnswer>().toEqualTypeOf<Static<typeof api.BatchAnswer>>();
  expectTypeOf<WebhookEvent>().toEqualTypeOf<api.WebhookEvent>();
  // `forbidden` is the dashboard's.
  expectTypeOf<Exclude<Literals<ErrorCode>, 'unreachable' | 'timeout' | 'unexpected-answer'>>().toEqualTypeOf<
    Exclude<api.ProblemCode, 'forbidden'>
  >();
});

it('what the client sends is what the API takes', () => {
  expectTypeOf<ActivityKind>().toEqualTypeOf<Static<typeof api.ActivityKind>>();
  expectTypeOf<Duration>().toEqualTypeOf<Static<typeof api.Duration>>();
  expectTypeOf<AskedPolicy>().toExtend<Static<typeof api.PatchBody>['policy']>();
  expectTypeOf<keyof Parameters<Sessions['create']>[0]>().toEqualTypeOf<keyof Static<typeof api.CreateBody>>();
  expectTypeOf<keyof Parameters<Sessions['adopt']>[1]>().toEqualTypeOf<keyof Static<typeof api.AdoptBody>>();
  expectTypeOf<keyof NonNullable<Parameters<Sessions['list']>[0]>>().toEqualTypeOf<keyof Static<typeof api.ListQuery>>();
  expectTypeOf<keyof NonNullable<Parameters<Sessions['wake']>[1]>>().toEqualTypeOf<keyof Static<typeof api.WakeQuery>>();
  expectTypeOf<keyof ActivityTime>().toEqualTypeOf<keyof Static<typeof api.ActivityBody>>();
  expectTypeOf<KeysOf<HoldEnd>>().toEqualTypeOf<keyof Static<typeof api.SpanBody>>();
  expectTypeOf<KeysOf<KeepEnd>>().toEqualTypeOf<keyof Static<typeof api.SpanBody>>();
  expectTypeOf<keyof DeleteOptions>().toEqualTypeOf<keyof Static<typeof api.DeleteQuery>>();
  expectTypeOf<keyof LogoutOptions>().toEqualTypeOf<keyof Static<typeof api.LogoutBody>>();
});

it('and the compiler says so', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sandman-types-'));
  try {
    const root = join(import.meta.dirname, '../../..');
    const config = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { typeRoots: [join(root, 'node_modules/@types')] },
      include: [import.meta.filename],
      exclude: [],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    execFileSync('tsc', ['-p', folder], { encoding: 'utf8' });
  } catch (error) {
    expect.unreachable((error as { stdout: string }).stdout || String(error));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
