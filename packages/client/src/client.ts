import { ActivitySender, type ActivityStats } from './activity-sender.ts';
import type { ActivityKind, Policies, Savings, Session } from './api-types.ts';
import { Drops } from './drops.ts';
import { type EventsOptions, type SandmanEvent, statusEvents } from './events.ts';
import type { LogoutOptions } from './inputs.ts';
import { resolveOptions, type SandmanClientOptions } from './options.ts';
import { Sessions } from './sessions.ts';
import { isKind, isUserId, isUuid } from './subject.ts';
import { ApiTransport } from './transport.ts';

const CLOSE_MS = 5_000;
/** Default time-out of a chat. The API may wait for a wake and then for the pod's first byte, 30 s each by default. */
const CHAT_MS = 75_000;

export interface ChatOptions {
  /** Ends the chat for the caller; Sandman still reads the pod's answer to its end. */
  readonly signal?: AbortSignal | undefined;
  /** How long the wake of the pod and the beginning of its answer may take together, in ms (75,000). */
  readonly timeout?: number | undefined;
}

export interface CloseOptions {
  /** How long to try to deliver, in ms (5,000). */
  readonly timeout?: number | undefined;
}

/**
 * A client of Sandman for a chat backend. Most backends need only {@link activity}: it returns at once, never throws, and is
 * delivered in the background, also after Sandman was unreachable. All other methods are calls with an answer and throw a
 * `SandmanError`.
 */
export class SandmanClient {
  /** Calls about single sessions. */
  readonly sessions: Sessions;
  readonly #transport: ApiTransport;
  readonly #drops: Drops;
  readonly #sender: ActivitySender;
  readonly #maxBackoff: number;
  #closed: Promise<void> | null = null;

  /** @throws TypeError that names the malformed option */
  constructor(options: SandmanClientOptions) {
    const settings = resolveOptions(options);
    this.#maxBackoff = settings.activity.maxBackoff;
    this.#transport = new ApiTransport(settings);
    this.#drops = new Drops(settings.onDrop);
    this.#sender = new ActivitySender(this.#transport, settings.activity, this.#drops);
    this.sessions = new Sessions(this.#transport, settings);
  }

  /**
   * Reports that a session's user is active now. Returns at once and never throws; a malformed uuid is reported as dropped.
   *
   * @param uuid the session's, as the session-manager gave it
   */
  activity(uuid: string, options?: { kind?: ActivityKind | undefined }): void {
    this.#add(isUuid(uuid) ? { uuid } : null, options);
  }

  /** Reports activity of every live session of a user, as {@link activity} does of one. */
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
      // Reading the options threw.
    }
    this.#drops.report({ count: 1, reason: 'invalid' });
  }

  /** Returns how much activity waits, has been accepted, and has been dropped. */
  stats(): ActivityStats {
    return this.#sender.stats();
  }

  /** Resolves when all activity up to now has arrived or been dropped; while Sandman is unreachable, not before it is back. */
  flush(): Promise<void> {
    return this.#sender.flush();
  }

  /** Delivers the activity that waits, within the time-out, and reports the rest as dropped. Later activity is dropped too. */
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
   * Sends a message to the session's pod. Sandman wakes the pod if needed, and keeps it awake while it answers.
   *
   * @param message any JSON
   * @returns the pod's answer as it arrives, with any content type and status
   * @throws SandmanError if the pod gave no answer
   */
  chat(uuid: string, message: unknown, { signal, timeout = CHAT_MS }: ChatOptions = {}): Promise<Response> {
    const path = `/v1/sessions/${encodeURIComponent(uuid)}/chat`;
    return this.#transport.stream({ method: 'POST', path, body: { message }, signal, timeout, foreign: true });
  }

  /**
   * Deletes every live session of the user: now, or after `grace`, unless the user comes back before. Puts kept sessions to
   * sleep, and does not delete them.
   *
   * @throws SandmanError
   */
  async logout(userId: string, { grace }: LogoutOptions = {}): Promise<Session[]> {
    const path = `/v1/users/${encodeURIComponent(userId)}/logout`;
    const body = grace === undefined ? undefined : { grace };
    return (await this.#transport.json<{ items: Session[] }>({ method: 'POST', path, body })).items;
  }

  /** Returns the policies that a session may have. @throws SandmanError */
  policies(): Promise<Policies> {
    return this.#transport.json({ method: 'GET', path: '/v1/policies' });
  }

  /** Returns the usage of the pods, and what sleep saved. @throws SandmanError */
  savings(): Promise<Savings> {
    return this.#transport.json({ method: 'GET', path: '/v1/savings' });
  }

  /**
   * Yields every change of status of all sessions as it happens, without end. Reconnects after a broken connection and
   * resumes at the last event. Leaving the loop closes the connection.
   *
   * @throws SandmanError if the key (401) or `after` (400) is refused
   */
  events(options: EventsOptions = {}): AsyncGenerator<SandmanEvent, void, void> {
    return statusEvents(this.#transport, options, this.#maxBackoff);
  }
}
