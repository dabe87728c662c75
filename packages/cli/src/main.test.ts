import { existsSync } from 'node:fs';
import { lacks, waitFor } from '@sandman/sandbox';
import { describe, expect, it } from 'vitest';
import { CLI, json, sandman, sessionAnswer, startProgram, startStandIn, uuidOf, uuids } from './cli.fixture.ts';

const ENV = { SANDMAN_API_KEY: 'test-api-key-0123456789' };

// Concurrent, because each test runs its own process against its own server.
describe.concurrent('Ctrl-C amid many', () => {
  it('begins no more, ends what is under way and says how far it got', async () => {
    const waiting: (() => void)[] = [];
    await using server = await startStandIn((request, response) => waiting.push(() => json(response, sessionAnswer(uuidOf(request)), 202)));
    const args = [CLI, 'sleep', '-', '--yes', '--concurrency', '2', '--url', server.url];
    const running = startProgram(process.execPath, args, ENV, uuids(20).join('\n'));
    await waitFor('two are under way', () => waiting.length === 2);
    running.child.kill('SIGINT');
    await waitFor('it says what it waits for', () => running.stderr().includes('waiting for what is under way'));
    // The same Ctrl-C again, as npm passes it on: it must not count as a second one.
    running.child.kill('SIGINT');
    for (const answer of waiting) answer();
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(130);
    expect(stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(stderr).toContain('sandman: interrupted: 2 of 20 sessions put to sleep, 0 failed, 18 not begun\n');
    expect(waiting).toHaveLength(2);
  });

  it('twice leaves at once', async () => {
    let asked = false;
    await using server = await startStandIn(() => {
      asked = true;
    });
    const running = startProgram(process.execPath, [CLI, 'sleep', 'a', 'b', '--yes', '--timeout', '1m', '--url', server.url], ENV);
    await waitFor('it has begun', () => asked);
    const again = setInterval(() => running.child.kill('SIGINT'), 100);
    expect((await running.ended).code).toBe(130);
    clearInterval(again);
  });
});

describe.concurrent('pages', () => {
  /** A server with this many pages of 1,000 sessions. */
  const pages = (count: number) =>
    startStandIn(({ url = '' }, response) => {
      const page = Number(new URL(url, 'http://x').searchParams.get('cursor') ?? 0);
      const items = uuids(1_000, page * 1_000).map((uuid) => sessionAnswer(uuid));
      json(response, { items, nextCursor: page + 1 < count ? `${page + 1}` : null });
    });

  it('--all follows them to the end', async () => {
    await using server = await pages(5);
    const { stdout } = await sandman(['sessions', '--all', '--url', server.url], ENV);
    const [head, ...rows] = stdout.trimEnd().split('\n');
    expect(head).toMatch(/^UUID/);
    expect(rows.map((row) => row.split(' ')[0])).toEqual(uuids(5_000));
  });

  it.each([[[]], [['--json']], [['-q']]])('a reader that leaves early ends it quietly: %j', async (form) => {
    await using server = await pages(Number.POSITIVE_INFINITY);
    const command = [process.execPath, CLI, 'sessions', '--all', '--url', server.url, ...form].map((word) => `'${word}'`).join(' ');
    const { stdout, stderr } = await startProgram('bash', ['--norc', '-c', `${command} | head -1; echo "\${PIPESTATUS[0]}"`], ENV).ended;
    const [line, code] = stdout.trimEnd().split('\n');
    expect(line).toMatch(/UUID|session-0000/);
    expect({ code, stderr }).toEqual({ code: '0', stderr: '' });
  });
});

describe.concurrent('completion', () => {
  it('in bash', async () => {
    const cases: [string[], string[]][] = [
      [['s'], ['sessions', 'show', 'sleep', 'simulate']],
      [['--url', 'show', 'se'], ['sessions']],
      [['sessions', '--st'], ['--status']],
      [
        ['sessions', '--status', 'd'],
        ['deleting', 'deleted'],
      ],
      [['sessions', '--status', '=', 'sl'], ['sleeping']],
      [
        ['wake', '--user', 'ada', '--status', '='],
        ['active', 'falling-asleep', 'sleeping', 'waking'],
      ],
      [['sessions', '--user', ''], []],
      [['wake', 'a', '--w'], ['--wait']],
      [
        ['hold', 'a', '--u'],
        ['--until', '--url'],
      ],
      [['completion', 'z'], ['zsh']],
      [['trace', 'g'], ['generate']],
      [
        ['trace', 'import', 'x.log', '--s'],
        ['--sessions', '--start', '--seed', '--session', '--session-from'],
      ],
    ];
    const asks = cases.map(([words]) => `ask ${words.map((word) => `'${word}'`).join(' ')}`);
    const script = `source <('${process.execPath}' '${CLI}' completion bash)
      complete -p sandman >/dev/null || exit 1
      ask() { COMP_WORDS=(sandman "$@"); COMP_CWORD=$#; COMPREPLY=(); _sandman; echo "\${COMPREPLY[*]}"; }
      ${asks.join('\n')}`;
    const { code, stdout, stderr } = await startProgram('bash', ['--norc', '-uc', script], {}).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n').slice(0, -1)).toEqual(cases.map(([, offers]) => offers.join(' ')));
  });

  it.each(['zsh', 'fish'])('for %s names every command, option and status', async (shell) => {
    const { code, stdout } = await sandman(['completion', shell], {});
    expect(code).toBe(0);
    for (const word of ['sessions', 'show', 'sleep', 'wake', 'delete', 'logout', 'hold', 'keep', 'grace', 'falling-asleep', 'until'])
      expect(stdout).toContain(word);
  });
});

const noTerminal = existsSync('/usr/bin/script') ? null : 'install util-linux (script), for the tests on a terminal';

describe.skipIf(lacks('terminal', noTerminal))('on a terminal', { concurrent: true }, () => {
  /** Runs the command line on a terminal of 200 columns. Its stdout holds all that the terminal shows. */
  function onTerminal(args: string[], env: Record<string, string>) {
    const command = ['stty cols 200; exec', process.execPath, CLI, ...args].join(' ');
    return startProgram('script', ['-qec', command, '/dev/null'], { ...ENV, TERM: 'xterm', SHELL: '/bin/bash', ...env }, null);
  }

  const changes = async () => {
    const changed: string[] = [];
    const server = await startStandIn((request, response) => {
      changed.push(`${request.method} ${uuidOf(request)}`);
      json(response, sessionAnswer(uuidOf(request), 'deleting'), 202);
    });
    return { changed, server };
  };

  it.each([
    [['delete', 'a'], 'Delete session a with all data, for good? [y/N] ', 1],
    [['delete', 'a', 'b'], 'Delete 2 sessions with all data, for good? [y/N] ', 2],
    [['delete', 'a', '--grace', '1h'], '(in 1h)? The return of the user before then cancels the delete. [y/N] ', 1],
    [['sleep', 'a', 'b', 'c'], 'Put 3 sessions to sleep? [y/N] ', 3],
  ])('asks before %j, and does it on yes', async (args, question, count) => {
    const { changed, server } = await changes();
    await using _ = server;
    const running = onTerminal(args, { SANDMAN_URL: server.url });
    await waitFor('it asks', () => running.stdout().includes(question));
    expect(changed).toEqual([]);
    running.child.stdin!.write('y\n');
    const { code, stdout } = await running.ended;
    expect(code).toBe(0);
    expect(changed).toHaveLength(count);
    if (count > 1) expect(stdout).toContain(`: ${count} of ${count}`);
  });

  it.each([
    ['no', 'n\n', 1],
    ['nothing', '\n', 1],
    ['Ctrl-D', '\x04', 1],
    ['Ctrl-C', '\x03', 130],
  ])('does nothing on %s', async (_, key, exitCode) => {
    const { changed, server } = await changes();
    await using _server = server;
    const running = onTerminal(['delete', 'a', 'b'], { SANDMAN_URL: server.url });
    await waitFor('it asks', () => running.stdout().includes('[y/N] '));
    running.child.stdin!.write(key);
    const { code, stdout } = await running.ended;
    expect(code).toBe(exitCode);
    expect(stdout).toContain('sandman: nothing was done');
    expect(changed).toEqual([]);
  });

  it('does not ask about one that only sleeps', async () => {
    const { changed, server } = await changes();
    await using _ = server;
    expect((await onTerminal(['sleep', 'a'], { SANDMAN_URL: server.url }).ended).code).toBe(0);
    expect(changed).toEqual(['POST a']);
  });

  it('has colours, unless somebody said no', async () => {
    await using server = await startStandIn((_, response) => json(response, { items: [sessionAnswer('a')], nextCursor: null }));
    const env = { SANDMAN_URL: server.url };
    const green = '\x1b[32mactive';
    expect((await onTerminal(['sessions'], env).ended).stdout).toContain(green);
    for (const plain of [onTerminal(['sessions', '--no-color'], env), onTerminal(['sessions'], { ...env, NO_COLOR: '1' })]) {
      const { stdout } = await plain.ended;
      expect(stdout).toContain('active');
      expect(stdout).not.toContain('\x1b[');
    }
  });
});
