import { ActivitySender, type ActivityStats } from './activity-sender.ts';
import type { ActivityKind, Policies, Savings, Session } from './api-types.ts';
import { Drops } from './drops.ts';
import { type EventsOptions, type SandmanEvent, statusEvents } from './events.ts';
import { type SandmanClientOptions, settle } from './options.ts';
import { Sessions } from './sessions.ts';
import { isKind, isUserId, isUuid } from './subject.ts';
import { Transport } from './transport.ts';

const CLOSE_MS = 5_000;
/** Sandman may wait for a wake, and then for the pod's first word: by its defaults 30 s each. */
const CHAT_MS = 75_000;

export interface ChatOptions {
  /** Ends the chat for us; the pod's answer is read to its end by Sandman. */
  readonly signal?: AbortSignal | undefined;
  /** How long the pod may take to begin its answer, and to be woken before, in ms (75,000). */
  readonly timeout?: number | undefined;
}

export interface CloseOptions {
  /** How long to try, in ms (5,000). */
  readonly timeout?: number | undefined;
}

/**
 * Sandman for a chat backend. {@link activity} is all that most need: it returns at once, throws nothing, and is delivered
 * behind the scenes even after Sandman was away. Everything else is a call with an answer, and throws a `SandmanError`.
 */
export class SandmanClient {
  /** Sessions one by one. */
  readonly sessions: Sessions;
  readonly #transport: Transport;
  readonly #drops: Drops;
  readonly #sender: ActivitySender;
  readonly #maxBackoff: number;
  #closed: Promise<void> | null = null;

  /** @throws TypeError that names the option that is malformed */
  constructor(options: SandmanClientOptions) {
    const settings = settle(options);
    this.#maxBackoff = settings.activity.maxBackoff;
    this.#transport = new Transport(settings);
    this.#drops = new Drops(settings.onDrop);
    this.#sender = new ActivitySender(this.#transport, settings.activity, this.#drops);
    this.sessions = new Sessions(this.#transport, settings);
  }

  /**
   * Says that a session's user is there, now. Returns at once and never throws; what is no uuid is reported as dropped.
   *
   * @param uuid the session-manager's
   */
  activity(uuid: string, options?: { kind?: ActivityKind | undefined }): void {
    this.#add(isUuid(uuid) ? { uuid } : null, options);
  }

  /** The same for every live session of a user. */
  userActivity(userId: string, options?: { kind?: ActivityKind | undefined }): void {
    this.#add(isUserId(userId) ? { userId } : null, options);
  }

  #add(subject: { uuid: string } | { userId: string } | null, options: { kind?: ActivityKind | undefined } | undefined): void {
    try {
      const kind = options?.kind ?? 'user';
      if (subject && isKind(kind)) {
        this.#sender.add({ subject, kind, at: Date.now() });
        return;
      }
    } catch {
      // Options that cannot even be read.
    }
    this.#drops.report({ count: 1, reason: 'invalid' });
  }

  /** How much activity waits, has arrived and is lost. */
  stats(): ActivityStats {
    return this.#sender.stats();
  }

  /** Resolves when all activity up to now has arrived, or been reported as dropped: while Sandman is away, not before it is back. */
  flush(): Promise<void> {
    return this.#sender.flush();
  }

  /** Delivers the activity that waits, as far as it can within the time-out, and reports the rest as dropped. Takes none afterwards. */
  close({ timeout = CLOSE_MS }: CloseOptions = {}): Promise<void> {
    this.#closed ??= this.#finish(timeout);
    return this.#closed;
  }

  async #finish(timeout: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeout);
    });
    await Promise.race([this.#sender.flush(), late]);
    clearTimeout(timer);
    this.#sender.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Sends a message to the session's pod, which is woken if need be, and stays awake while it answers.
   *
   * @param message any JSON
   * @returns the pod's answer as it comes, whatever its content type and status
   * @throws SandmanError where there is no answer of the pod
   */
  chat(uuid: string, message: unknown, { signal, timeout = CHAT_MS }: ChatOptions = {}): Promise<Response> {
    const path = `/v1/sessions/${encodeURIComponent(uuid)}/chat`;
    return this.#transport.stream({ method: 'POST', path, body: { message }, signal, timeout, foreign: true });
  }

  /** Deletes every live session of the user, now. @throws SandmanError */
  async logout(userId: string): Promise<Session[]> {
    const path = `/v1/users/${encodeURIComponent(userId)}/logout`;
    return (await this.#transport.json<{ items: Session[] }>({ method: 'POST', path })).items;
  }

  /** Those that a session may have. @throws SandmanError */
  policies(): Promise<Policies> {
    return this.#transport.json({ method: 'GET', path: '/v1/policies' });
  }

  /** What the pods cost, and what sleep saved. @throws SandmanError */
  savings(): Promise<Savings> {
    return this.#transport.json({ method: 'GET', path: '/v1/savings' });
  }

  /**
   * Every change of status as it happens, of all sessions; without end. A connection that breaks is taken up again where
   * it was. Breaking off the loop closes it.
   *
   * @throws SandmanError where the key (401) or `after` (400) is refused
   */
  events(options: EventsOptions = {}): AsyncGenerator<SandmanEvent, void, void> {
    return statusEvents(this.#transport, options, this.#maxBackoff);
  }
}
