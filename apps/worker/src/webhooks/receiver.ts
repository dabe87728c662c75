import type { WebhookEvent } from '@sandman/contracts';
import { signedHeaders } from './signature.ts';

/** How long a receiver may take to answer, in ms. */
const TIMEOUT_MS = 15_000;

/** Whoever listens at `WEBHOOK_URL`. */
export class Receiver {
  readonly #url: string;
  readonly #key: Buffer;

  /** @param url where it is; it may hold a secret of its own, and is told to nobody */
  constructor(url: string, key: Buffer) {
    this.#url = url;
    this.#key = key;
  }

  /** @throws Error that says why it was not taken: any answer but 2xx, or none */
  async post(id: string, event: WebhookEvent): Promise<void> {
    const body = JSON.stringify(event);
    const headers = { 'content-type': 'application/json', 'user-agent': 'sandman', ...signedHeaders(this.#key, id, body, Date.now()) };
    const answer = await fetch(this.#url, {
      method: 'POST',
      headers,
      body,
      // What is elsewhere would have to be told so: a redirect of a POST is a GET more often than not.
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((error: Error) => {
      const { code } = (error.cause ?? {}) as { code?: string };
      throw new Error(error.name === 'TimeoutError' ? `no answer within ${TIMEOUT_MS / 1_000} s` : `no connection: ${code ?? error.name}`);
    });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
  }
}
