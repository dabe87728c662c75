import { setTimeout as pause } from 'node:timers/promises';
import type { Stack } from './stack.ts';

interface DemoSession {
  readonly uuid: string;
  readonly userId: string;
  readonly workspaceUrl: string;
  readonly status: string;
}

interface LoggedCall {
  readonly call: string;
  readonly uuid: string;
  readonly at: number;
}

/** How often the demo reads a status, and how often an active user sends a message, in ms. */
const POLL_MS = 100;
const CHAT_EVERY_MS = 1_000;

/**
 * Plays four users of a chat backend, each with a different course. Prints what happens, and checks it against the call log of the
 * simulated session-manager.
 */
export class Demo {
  readonly #stack: Stack;
  readonly #startedAt = Date.now();
  readonly #checks: { what: string; held: boolean }[] = [];

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  /** @returns the number of checks that failed */
  async play(): Promise<number> {
    this.#print('policy: asleep after 3 s idle, deleted after 4 s asleep');
    const names = ['ada', 'ben', 'cleo', 'dan'];
    const [ada, ben, cleo, dan] = (await Promise.all(names.map((userId) => this.#start(userId)))) as [
      DemoSession,
      DemoSession,
      DemoSession,
      DemoSession,
    ];
    let chatting = true;
    const chat = (async () => {
      while (chatting) {
        await this.#chat('message', { userId: 'ada', message: 'are you there?' });
        await pause(CHAT_EVERY_MS);
      }
    })();
    const stopChat = () => {
      chatting = false;
      return chat;
    };
    await Promise.all([this.#benComesBack(ben), this.#cleoNeverDoes(cleo), this.#danLogsOut(dan)]);

    const adasCalls = (await this.#callLog()).filter(({ uuid, call }) => uuid === ada.uuid && call === 'sleep');
    this.#check('ada chatted all the time and was never put to sleep', adasCalls.length === 0 && (await this.#status(ada)) === 'active');
    await stopChat();
    this.#print('ada stops chatting');
    this.#check('ada was put to sleep once she stopped', await this.#until(ada, 'sleeping'));
    return this.#summary();
  }

  async #benComesBack(ben: DemoSession): Promise<void> {
    this.#check('ben was idle and fell asleep', await this.#until(ben, 'sleeping'));
    this.#print('ben comes back, and says "hello"');
    const answer = await this.#chat('message', { userId: 'ben', message: 'hello' });
    this.#check('ben’s message woke his pod, and the pod answered it', answer === '{"reply":"hello"}');
    const calls = (await this.#callLog()).filter(({ uuid }) => uuid === ben.uuid).map(({ call }) => call);
    this.#check('the session-manager was called for ben: create, sleep, wake, chat', calls.join() === 'create,sleep,wake,chat');
  }

  async #cleoNeverDoes(cleo: DemoSession): Promise<void> {
    this.#check('cleo was idle and fell asleep', await this.#until(cleo, 'sleeping'));
    this.#check('cleo did not come back and was deleted', await this.#until(cleo, 'deleted'));
  }

  async #danLogsOut(dan: DemoSession): Promise<void> {
    await pause(CHAT_EVERY_MS);
    this.#print('dan logs out');
    const at = Date.now();
    await this.#chat('logout', { userId: 'dan' });
    await this.#until(dan, 'deleted');
    const deleted = (await this.#callLog()).find(({ uuid, call }) => uuid === dan.uuid && call === 'delete');
    this.#check('dan was deleted within a second of logging out', deleted !== undefined && deleted.at - at < 1_000);
    this.#print('dan starts again');
    this.#check('dan got a new workspace', (await this.#start('dan')).uuid !== dan.uuid);
  }

  #summary(): number {
    const failed = this.#checks.filter(({ held }) => !held);
    console.log(`\n${this.#checks.map(({ what, held }) => `  ${held ? '✓' : '✗'} ${what}`).join('\n')}\n`);
    console.log(failed.length === 0 ? 'All of it happened.' : `${failed.length} of ${this.#checks.length} did not happen.`);
    return failed.length;
  }

  #check(what: string, held: boolean): void {
    this.#checks.push({ what, held });
    this.#print(`${held ? '✓' : '✗'} ${what}`);
  }

  #print(line: string): void {
    console.log(`${((Date.now() - this.#startedAt) / 1_000).toFixed(1).padStart(6)} s  ${line}`);
  }

  /** Starts a chat through the chat backend, as a user does, and asks Sandman which session that is. */
  async #start(userId: string): Promise<DemoSession> {
    const { workspaceUrl } = JSON.parse(await this.#chat('start', { userId })) as { workspaceUrl: string };
    const sessions = (await (await this.#ask(`/v1/sessions?userId=${userId}`)).json()) as { items: DemoSession[] };
    const session = sessions.items.find((one) => one.workspaceUrl === workspaceUrl);
    if (!session) throw new Error(`Sandman knows no session of ${userId} at ${workspaceUrl}`);
    this.#print(`${userId} starts a chat: session ${session.uuid}`);
    return session;
  }

  async #chat(call: 'start' | 'message' | 'logout', body: unknown): Promise<string> {
    const answer = await fetch(`${this.#stack.chatBackend}/chat/${call}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`POST /chat/${call} answered ${answer.status}: ${text}`);
    return text;
  }

  #ask(path: string): Promise<Response> {
    return fetch(this.#stack.api + path, { headers: { 'x-api-key': this.#stack.apiKey } });
  }

  async #status({ uuid }: DemoSession): Promise<string> {
    const answer = await this.#ask(`/v1/sessions/${uuid}`);
    return answer.status === 410 ? 'deleted' : ((await answer.json()) as DemoSession).status;
  }

  /** Waits for a status, 15 s at most, and prints each status on the way. Returns whether the status was reached. */
  async #until(session: DemoSession, wanted: string): Promise<boolean> {
    const deadline = Date.now() + 15_000;
    let last = '';
    while (Date.now() < deadline) {
      const status = await this.#status(session);
      if (status !== last && last !== '') this.#print(`${session.userId} is ${status}`);
      last = status;
      if (status === wanted) return true;
      await pause(POLL_MS);
    }
    return false;
  }

  async #callLog(): Promise<LoggedCall[]> {
    const { sessionManager, sessionManagerKey } = this.#stack;
    const answer = await fetch(`${sessionManager}/sim/journal`, { headers: { 'x-api-key': sessionManagerKey } });
    return ((await answer.json()) as { items: LoggedCall[] }).items.filter(({ call }) => call !== 'status');
  }
}
