import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI, type CommandResult, sandmanHere, startProgram, sandman as startSandman } from '../packages/cli/src/cli.fixture.ts';
import { type SessionBody, TestStack } from './stack.ts';

const KEY = 'test-api-key-0123456789';

let redis: FoundRedis;
let stack: TestStack;
let env: Record<string, string>;

beforeAll(async () => {
  redis = await redisForTests();
  stack = await new TestStack(redis.url).start({});
  env = { SANDMAN_URL: stack.apiUrls[0]!, SANDMAN_API_KEY: KEY };
});

afterAll(async () => {
  await stack?.stop();
  await redis?.stop();
});

/** Runs the command in this process, because starting another would take most of the time. */
const sandman = (...args: string[]) => sandmanHere(args, env);
const rows = (text: string) => text.trimEnd().split('\n');

/** Creates sessions of a user and returns their uuids, sorted. */
async function make(userId: string, count: number): Promise<string[]> {
  const made = await Promise.all(Array.from({ length: count }, () => stack.create(userId)));
  return made.map(({ uuid }) => uuid).sort();
}

async function statuses(uuids: readonly string[]): Promise<string[]> {
  return Promise.all(uuids.map((uuid) => stack.status(uuid)));
}

describe('sessions', () => {
  it('is a table for people', async () => {
    const [uuid] = await make('tess', 1);
    const { code, stdout, stderr } = await startSandman(['sessions', '--user', 'tess'], env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [head, row] = rows(stdout);
    expect(head!.split(/ {2,}/)).toEqual(['UUID', 'USER', 'STATUS', 'POLICY', 'IDLE FOR', 'SLEEPS IN', 'DELETED IN', 'PROBLEM']);
    expect(row!.split(/ {2,}/)).toEqual([
      uuid,
      'tess',
      'active',
      'balanced',
      expect.stringMatching(/^\d+s$/),
      expect.stringMatching(/^14m( \d+s)?$/),
      '1d',
      '-',
    ]);
    expect(row!.indexOf('balanced')).toBe(head!.indexOf('POLICY'));
  });

  it('is one document with --json, a Session a line with --all as well, and uuids with -q', async () => {
    const uuids = await make('jo', 3);
    const document = JSON.parse((await sandman('sessions', '--user', 'jo', '--json')).stdout);
    expect(document).toMatchObject({ nextCursor: null });
    expect(document.items.map(({ uuid }: SessionBody) => uuid).sort()).toEqual(uuids);
    const lines = rows((await sandman('sessions', '--user', 'jo', '--json', '--all')).stdout).map(
      (line) => JSON.parse(line) as SessionBody,
    );
    expect(lines.map(({ uuid, userId, status }) => [uuid, userId, status]).sort()).toEqual(uuids.map((uuid) => [uuid, 'jo', 'active']));
    expect(rows((await sandman('sessions', '--user', 'jo', '-q')).stdout).sort()).toEqual(uuids);
  });

  it('says where there are more, and where there are none', async () => {
    await make('mo', 3);
    const some = await sandman('sessions', '--user', 'mo', '--limit', '2');
    expect(rows(some.stdout)).toHaveLength(3);
    expect(some.stderr).toBe('these are the first 2: --all shows every one\n');
    expect(await sandman('sessions', '--user', 'nobody')).toEqual({ code: 0, stdout: '', stderr: 'no sessions\n' });
    expect(JSON.parse((await sandman('sessions', '--user', 'nobody', '--json')).stdout)).toEqual({ items: [], nextCursor: null });
  });

  it('a status selects', async () => {
    const [asleep, awake] = await make('stan', 2);
    await stack.call('POST', `/v1/sessions/${asleep}/sleep`);
    await stack.until(asleep!, 'sleeping');
    expect((await sandman('sessions', '--user', 'stan', '--status', 'sleeping', '-q')).stdout).toBe(`${asleep}\n`);
    expect((await sandman('sessions', '--user', 'stan', '--status=active', '-q')).stdout).toBe(`${awake}\n`);
  });

  it('an id cannot forge the table, and is whole in JSON', async () => {
    const userId = '\u001b[2Jroot\u009b';
    await stack.create(userId);
    const table = await sandman('sessions', '--all');
    expect(table.stdout).toContain('�[2Jroot�');
    const json = await sandman('sessions', '--all', '--json');
    for (const { stdout } of [table, json]) expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    expect(rows(json.stdout).map((line) => (JSON.parse(line) as SessionBody).userId)).toContain(userId);
  });
});

describe('show', () => {
  it('shows one session, and each change with its cause', async () => {
    const { uuid } = await stack.create('shea', { sleepAfter: '1h', deleteAfter: 'never' });
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await stack.until(uuid, 'sleeping');
    const { code, stdout } = await sandman('show', uuid);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^uuid +${uuid}$`, 'm'));
    expect(stdout).toMatch(/^status +sleeping$/m);
    expect(stdout).toMatch(/^policy +custom: sleeps after 1h idle, is never deleted; background activity counts for 4h$/m);
    expect(stdout).toMatch(/^slept +\S+Z {2}\(\ds ago\)$/m);
    const [, history = ''] = stdout.split('\n\n');
    expect(rows(history).map((line) => line.split(/ {2,}/).slice(1))).toEqual([
      ['FROM', 'TO', 'CAUSE'],
      ['falling-asleep', 'sleeping', 'manual'],
      ['active', 'falling-asleep', 'manual'],
      ['-', 'active', 'created'],
    ]);
    const document = JSON.parse((await sandman('show', uuid, '--json')).stdout);
    expect(document).toMatchObject({ uuid, status: 'sleeping', history: [{ cause: 'manual' }, { cause: 'manual' }, { cause: 'created' }] });
  });

  it('tells what is not there from what is no more', async () => {
    const [uuid] = await make('gone', 1);
    await stack.call('DELETE', `/v1/sessions/${uuid}`);
    await stack.until(uuid!, 'deleted');
    expect(await sandman('show', uuid!)).toEqual({ code: 1, stdout: '', stderr: `sandman: Session ${uuid} is deleted\n` });
    expect(await sandman('show', 'nobody00')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'sandman: There is no session nobody00: `sandman sessions` lists those there are\n',
    });
  });
});

describe('one session', () => {
  it('sleeps, wakes and is waited for', async () => {
    const [uuid] = await make('sol', 1);
    expect(await sandman('sleep', uuid!)).toEqual({ code: 0, stdout: `${uuid}  falling-asleep\n`, stderr: '' });
    await stack.until(uuid!, 'sleeping');
    expect(await sandman('wake', uuid!, '--wait', '30s')).toEqual({ code: 0, stdout: `${uuid}  active\n`, stderr: '' });
    expect(JSON.parse((await sandman('sleep', uuid!, '--json')).stdout)).toMatchObject({ uuid, userId: 'sol', status: 'falling-asleep' });
  });

  it('that does not wake in time is a failure', async () => {
    const [uuid] = await make('slow', 1);
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await stack.until(uuid!, 'sleeping');
    await stack.fault({ call: 'wake', uuid, fault: { status: 500 } });
    const { code, stderr } = await sandman('wake', uuid!, '--wait', '300ms');
    expect({ code, stderr }).toEqual({ code: 1, stderr: `sandman: session ${uuid} is not awake within 300ms: it is waking\n` });
    // The worker may be slower than the 300 ms.
    await waitFor('the problem shows', async () => (await stack.call('GET', `/v1/sessions/${uuid}`)).body.problem);
    const [, row] = rows((await sandman('sessions', '--user', 'slow')).stdout);
    expect(row).toMatch(/ {2}\d+ × .*500/);
    expect((await sandman('show', uuid!)).stdout).toMatch(/^problem +\d+ failures since \S+Z, the last: .*500/m);
  });

  it('is held, until a time or for a while, and no longer', async () => {
    const [uuid] = await make('hal', 1);
    const held = await sandman('hold', uuid!, '--for', '90m');
    const until = /^\S+ {2}held until (\S+)\n$/.exec(held.stdout)?.[1];
    expect(Math.abs(Date.parse(until!) - Date.now() - 5_400_000)).toBeLessThan(10_000);
    const time = new Date(Date.now() + 7_200_000).toISOString();
    expect(JSON.parse((await sandman('hold', uuid!, '--until', time, '--json')).stdout)).toMatchObject({ uuid, holdUntil: time });
    expect(await sandman('hold', uuid!, '--end')).toEqual({ code: 0, stdout: `${uuid}  no longer held\n`, stderr: '' });
    const long = await sandman('hold', uuid!, '--for', '25h');
    expect({ code: long.code, stderr: long.stderr }).toEqual({
      code: 1,
      stderr: 'sandman: for must end in the future and at most 24h ahead\n',
    });
  });

  it('is deleted only where somebody said yes', async () => {
    const [uuid] = await make('del', 1);
    expect(await sandman('delete', uuid!)).toEqual({
      code: 2,
      stdout: '',
      stderr: `sandman: Delete session ${uuid} with all data, for good? There is no terminal to ask: use --yes\n`,
    });
    expect(await stack.status(uuid!)).toBe('active');
    expect(await sandman('delete', uuid!, '--yes')).toEqual({ code: 0, stdout: `${uuid}  deleting\n`, stderr: '' });
    await stack.until(uuid!, 'deleted');
  });
});

describe('deleting softly', () => {
  const inAnHour = (time: string | undefined) => Math.abs(Date.parse(time!) - Date.now() - 3_600_000) < 60_000;

  it('a session is kept for a while or until a time, and no longer', async () => {
    const [uuid] = await make('kim', 1);
    const kept = await sandman('keep', uuid!, '--for', '30d');
    const until = /^\S+ {2}kept until (\S+)\n$/.exec(kept.stdout)?.[1];
    expect(Math.abs(Date.parse(until!) - Date.now() - 30 * 86_400_000)).toBeLessThan(60_000);
    expect((await sandman('show', uuid!)).stdout).toMatch(new RegExp(`^kept until +${until} {2}\\(in 29d 23h\\)$`, 'm'));
    expect(JSON.parse((await sandman('sessions', '--user', 'kim', '--json')).stdout).items).toMatchObject([{ uuid, keepUntil: until }]);
    const time = new Date(Date.now() + 7_200_000).toISOString();
    expect(JSON.parse((await sandman('keep', uuid!, '--until', time, '--json')).stdout)).toMatchObject({ uuid, keepUntil: time });
    const ended = await sandman('keep', uuid!, '--end');
    expect(ended).toEqual({ code: 0, stdout: expect.stringMatching(/^\S+ {2}no longer kept, deleted at \S+Z\n$/), stderr: '' });
    expect((await sandman('show', uuid!)).stdout).toMatch(/^kept until +-$/m);
    const past = await sandman('keep', uuid!, '--until', '2020-01-01T00:00:00Z');
    expect({ code: past.code, stderr: past.stderr }).toEqual({
      code: 1,
      stderr: 'sandman: until must end in the future and at most 3650d ahead\n',
    });
  });

  it('a delete with a grace says when, sleeps until then, and is taken back by a wake', async () => {
    const [uuid] = await make('gil', 1);
    const asked = await sandman('delete', uuid!, '--grace', '1h');
    expect({ code: asked.code, stdout: asked.stdout }).toEqual({ code: 2, stdout: '' });
    const end = new RegExp(
      `^sandman: Delete session ${uuid} with all data, for good, at (\\S+:\\d\\dZ) \\(in 1h\\)\\? ` +
        'The return of the user before then cancels the delete\\. There is no terminal to ask: use --yes\n$',
    ).exec(asked.stderr)?.[1];
    expect(inAnHour(end), asked.stderr).toBe(true);
    expect(await stack.status(uuid!)).toBe('active');

    const done = await sandman('delete', uuid!, '--grace', '1h', '--yes');
    const at = /^\S+ {2}falling-asleep {2}deleted at (\S+)\n$/.exec(done.stdout)?.[1];
    expect(inAnHour(at), done.stdout + done.stderr).toBe(true);
    await stack.until(uuid!, 'sleeping');
    expect((await sandman('show', uuid!)).stdout).toContain(`${at}  (in 59m `);
    expect((await sandman('wake', uuid!, '--wait', '30s')).code).toBe(0);
    const { body } = await stack.call('GET', `/v1/sessions/${uuid}`);
    expect(inAnHour(body.deleteAt!)).toBe(false);
  });

  it('a kept session is deleted with --force, and only a kept one', async () => {
    const [kept, other] = await make('kay', 2);
    await sandman('keep', kept!, '--for', '1d');
    const refused = await sandman('delete', kept!, '--yes');
    expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(new RegExp(`^sandman: Session ${kept} is kept until \\S+: --force deletes it all the same\n$`));
    expect(await sandman('delete', other!, '--force', '--yes')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'sandman: force is only for a session that is kept\n',
    });
    expect(await statuses([kept!, other!])).toEqual(['active', 'active']);
    const all = await sandman('delete', '--user', 'kay', '--yes');
    expect({ code: all.code, stdout: all.stdout }).toEqual({ code: 1, stdout: `${other}  deleting\n` });
    expect(rows(all.stderr).at(-1)).toBe('sandman: 1 of 2 sessions deleted, 1 failed');
    expect(await sandman('delete', kept!, '--force', '--yes')).toEqual({ code: 0, stdout: `${kept}  deleting\n`, stderr: '' });
  });

  it('many are deleted with one grace, and the summary says when', async () => {
    await make('gus', 3);
    const { code, stdout, stderr } = await sandman('delete', '--user', 'gus', '--grace', '1h', '--yes');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '3 sessions put to sleep, deleted in 1h\n' });
    for (const row of rows(stdout)) expect(inAnHour(/ {2}falling-asleep {2}deleted at (\S+)$/.exec(row)?.[1]), row).toBe(true);
  });

  it('a logout asks, deletes what is not kept, and puts the rest to sleep', async () => {
    const [kept, first, second] = await make('lou', 3);
    await sandman('keep', kept!, '--for', '1d');
    expect(await sandman('logout', 'lou')).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'sandman: Log lou out, put 1 kept session to sleep, and delete 2 sessions with all data, for good? There is no terminal to ask: use --yes\n',
    });
    const dry = await sandman('logout', 'lou', '--dry-run');
    expect({ code: dry.code, stderr: dry.stderr }).toEqual({ code: 0, stderr: 'a dry run, nothing is done: log lou out of 3 sessions\n' });
    expect(rows(dry.stdout).sort()).toEqual([kept, first, second].sort());
    expect(await statuses([kept!, first!, second!])).toEqual(['active', 'active', 'active']);

    const { code, stdout, stderr } = await sandman('logout', 'lou', '--yes');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const results = new Map(rows(stdout).map((row) => [row.slice(0, row.indexOf(' ')), row.slice(row.indexOf(' ')).trim()]));
    expect(Object.fromEntries(results)).toEqual({
      [kept!]: expect.stringMatching(/^falling-asleep {2}kept until \S+Z$/),
      [first!]: 'deleting',
      [second!]: 'deleting',
    });
  });

  it('a logout with a grace', async () => {
    const [uuid] = await make('lea', 1);
    const asked = await sandman('logout', 'lea', '--grace', '1h');
    expect(asked.stderr).toMatch(
      /^sandman: Log lea out and delete 1 session with all data, for good, at \S+Z \(in 1h\)\? The return of the user/,
    );
    const { code, stdout } = await sandman('logout', 'lea', '--grace', '1h', '--yes', '--json');
    const { uuid: of, status, deleteAt } = JSON.parse(stdout) as SessionBody;
    expect({ code, of, status, due: inAnHour(deleteAt!) }).toEqual({ code: 0, of: uuid, status: 'falling-asleep', due: true });
  });

  it('a logout of sessions that are all kept does not ask, and one of no session does nothing', async () => {
    const [kept] = await make('liv', 1);
    await sandman('keep', kept!, '--for', '1d');
    expect((await sandman('logout', 'liv')).stdout).toMatch(new RegExp(`^${kept}  falling-asleep  kept until `));
    for (const options of [[], ['--yes'], ['--dry-run']]) {
      expect(await sandman('logout', 'unknown', ...options)).toEqual({ code: 0, stdout: '', stderr: 'no sessions\n' });
    }
  });
});

describe('many sessions', () => {
  it('named on standard input, some of them twice', async () => {
    const uuids = await make('mia', 4);
    const { code, stdout, stderr } = await startSandman(['sleep', '-', '--yes'], env, `${uuids.join('\n')}\n${uuids[0]} ${uuids[1]}\n`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '4 sessions put to sleep\n' });
    expect(rows(stdout).sort()).toEqual(uuids.map((uuid) => `${uuid}  falling-asleep`));
    await Promise.all(uuids.map((uuid) => stack.until(uuid, 'sleeping')));
  });

  it('are those of a user, or of a status, and no others', async () => {
    const [others, uuids] = [await make('bystander', 1), await make('una', 3)];
    expect(await sandman('sleep', '--user', 'una', '--yes')).toMatchObject({ code: 0, stderr: '3 sessions put to sleep\n' });
    await Promise.all(uuids.map((uuid) => stack.until(uuid, 'sleeping')));
    expect(await statuses(others)).toEqual(['active']);
    await stack.call('POST', `/v1/sessions/${uuids[0]}/wake?wait=10s`);
    const woken = await sandman('wake', '--user', 'una', '--status', 'sleeping', '--wait', '10s', '--yes');
    expect(rows(woken.stdout).sort()).toEqual(uuids.slice(1).map((uuid) => `${uuid}  active`));
    expect(await sandman('delete', '--user', 'una', '--yes')).toMatchObject({ code: 0, stderr: '3 sessions deleted\n' });
    expect(await sandman('delete', '--user', 'nobody', '--yes')).toEqual({ code: 0, stdout: '', stderr: 'no sessions\n' });
  });

  it('are not touched where nobody can be asked', async () => {
    const uuids = await make('nora', 2);
    for (const args of [['--user', 'nora'], uuids, ['-']]) {
      const { code, stdout, stderr } = await sandmanHere(['sleep', ...args], env, uuids.join(' '));
      expect({ code, stdout, stderr }).toEqual({
        code: 2,
        stdout: '',
        stderr: 'sandman: Put 2 sessions to sleep? There is no terminal to ask: use --yes\n',
      });
    }
    expect(await statuses(uuids)).toEqual(['active', 'active']);
  });

  it('a dry run lists them and changes nothing', async () => {
    const uuids = await make('dru', 2);
    const { code, stdout, stderr } = await sandman('delete', '--user', 'dru', '--dry-run');
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'a dry run, nothing is done: delete 2 sessions\n' });
    expect(rows(stdout).sort()).toEqual(uuids);
    const json = await sandman('sleep', ...uuids, '--dry-run', '--yes', '--json');
    expect(rows(json.stdout).map((line) => JSON.parse(line))).toEqual(uuids.map((uuid) => ({ uuid })));
    for (const uuid of uuids) {
      const { body } = await stack.call<{ items: unknown[] }>('GET', `/v1/sessions/${uuid}/history`);
      expect(body.items).toHaveLength(1);
    }
  });

  it('one that fails does not stop the others', async () => {
    const [first, last] = await make('paz', 2);
    const { code, stdout, stderr } = await sandman('sleep', first!, 'nobody00', last!, '--yes', '--concurrency', '1');
    expect(code).toBe(1);
    expect(rows(stdout)).toEqual([`${first}  falling-asleep`, `${last}  falling-asleep`]);
    expect(rows(stderr)).toEqual([
      'nobody00: There is no session nobody00: `sandman sessions` lists those there are',
      'sandman: 2 of 3 sessions put to sleep, 1 failed',
    ]);
    const json = await sandman('wake', first!, 'nobody00', '--yes', '--json', '--concurrency', '1');
    expect(json.code).toBe(1);
    expect(rows(json.stdout).map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ uuid: first, userId: 'paz' }),
      { uuid: 'nobody00', error: { code: 'session-not-found', status: 404, detail: expect.stringContaining('There is no session') } },
    ]);
  });
});

it.each([['show'], ['hold', '--for', '1h'], ['keep', '--for', '1h'], ['sleep'], ['wake'], ['delete', '--yes']])(
  '%s of one session ends well, and with 1 where there is no such session',
  async (command, ...options) => {
    const [uuid] = await make(`own-${command}`, 1);
    const [done, refused] = await Promise.all([uuid!, 'nobody00'].map((of) => sandman(command, of, ...options)));
    expect(done!.code, done!.stderr).toBe(0);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('nobody00') });
  },
);

it('a key that is not accepted is said so, and never shown', async () => {
  const secret = 'not-the-key-5d41402abc4b2a76';
  const ended: Promise<CommandResult>[] = [];
  for (const args of [['sessions'], ['show', 'a'], ['sleep', 'a', 'b', '--yes', '--json'], ['delete', '--user', 'a']]) {
    ended.push(sandmanHere(args, { ...env, SANDMAN_API_KEY: secret }));
  }
  for (const { code, stdout, stderr } of await Promise.all(ended)) {
    expect(code).toBe(1);
    expect(stderr).toContain("SANDMAN_API_KEY is not accepted: set it to one of the API's keys");
    expect(stdout + stderr).not.toContain(secret);
  }
});

it('npm run sandman is this', async () => {
  const [uuid] = await make('npm', 1);
  const { code, stdout } = await startProgram('npm', ['run', '--silent', 'sandman', '--', 'sessions', '--user', 'npm', '-q'], env).ended;
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${uuid}\n` });
});

it('a pipeline of it: what sessions lists, sleep takes', async () => {
  const uuids = await make('pip', 3);
  const pipeline = `"${process.execPath}" "${CLI}" sessions -q --all --user pip | "${process.execPath}" "${CLI}" sleep - --yes`;
  expect(await startProgram('bash', ['--norc', '-c', pipeline], env).ended).toMatchObject({ code: 0, stderr: '3 sessions put to sleep\n' });
  await Promise.all(uuids.map((uuid) => stack.until(uuid, 'sleeping')));
});
