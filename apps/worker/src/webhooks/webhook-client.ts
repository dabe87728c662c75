import type { WebhookEvent } from '@sandman/contracts';
import { signedHeaders } from './signature.ts';

/** How long a receiver may take to answer, in ms. */
const TIMEOUT_MS = 15_000;

/** Posts webhooks to `WEBHOOK_URL`. */
export class WebhookClient {
  readonly #url: string;
  readonly #key: Buffer;

  /** @param url its address; it may contain a secret, so it is never logged */
  constructor(url: string, key: Buffer) {
    this.#url = url;
    this.#key = key;
  }

  /** @throws Error with the reason if the answer is not 2xx, or there is none within 15 s */
  async post(id: string, event: WebhookEvent): Promise<void> {
    const body = JSON.stringify(event);
    const headers = { 'content-type': 'application/json', 'user-agent': 'sandman', ...signedHeaders(this.#key, id, body, Date.now()) };
    const answer = await fetch(this.#url, {
      method: 'POST',
      headers,
      body,
      // A redirect is an error: following it would usually turn the POST into a GET without the body.
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
