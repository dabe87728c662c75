import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { verifyWebhook } from '@sandman/client/webhooks';
import { waitFor } from '@sandman/sandbox';
import { Webhook } from 'standardwebhooks';
import { expect } from 'vitest';
import type { SessionBody } from './stack.ts';

/** The receiver's secret, new in each run. */
export const SECRET = `whsec_${randomBytes(32).toString('base64')}`;

/** A request that the receiver accepted. */
interface Delivery {
  /** When it arrived, in ms. */
  readonly at: number;
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly session: SessionBody;
  readonly cause: string | undefined;
}

/** A request that the receiver did not accept. */
interface Refusal {
  readonly id: string;
  readonly uuid: string;
}

/** The HTTP status to answer with; null leaves the request unanswered. */
type AnswerStatus = () => number | null;

/** Receives webhooks. Checks the signature of each with the public library and with the client's `verifyWebhook`. */
export class WebhookReceiver {
  /** The answer for each session that has no entry in `answers`. */
  answer: AnswerStatus = () => 204;
  /** Answers by uuid. */
  readonly answers = new Map<string, AnswerStatus>();
  readonly refused: Refusal[] = [];
  readonly unanswered: Refusal[] = [];
  /** What was wrong with each request whose signature or body is invalid. */
  readonly invalid: unknown[] = [];
  readonly #delivered: Delivery[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const delivery = this.#verified(Buffer.concat(chunks).toString(), request.headers);
      if (!delivery) return response.writeHead(400).end();
      const { id, session } = delivery;
      const status = (this.answers.get(session.uuid) ?? this.answer)();
      if (status === null) return this.unanswered.push({ id, uuid: session.uuid });
      if (status < 300) this.#delivered.push(delivery);
      else this.refused.push({ id, uuid: session.uuid });
      return response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end();
    });
  }

  #verified(body: string, headers: IncomingHttpHeaders): Delivery | null {
    try {
      const event = new Webhook(SECRET).verify(body, headers as Record<string, string>) as {
        type: string;
        timestamp: string;
        data: { session: SessionBody; cause?: string };
      };
      const { type, timestamp, data } = event;
      expect(verifyWebhook(body, headers, SECRET)).toEqual(event);
      return { at: Date.now(), id: String(headers['webhook-id']), type, timestamp, ...data, cause: data.cause };
    } catch (error) {
      this.invalid.push(error);
      return null;
    }
  }

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hooks?token=of-the-receiver`;
  }

  deliveriesOf(uuid: string): Delivery[] {
    return this.#delivered.filter(({ session }) => session.uuid === uuid);
  }

  /** Returns the ids of a session's refused requests. */
  refusedOf(uuid: string): string[] {
    return this.refused.filter((one) => one.uuid === uuid).map(({ id }) => id);
  }

  /** Waits until these types are among a session's deliveries; returns all of its deliveries. */
  untilDelivered(uuid: string, ...types: string[]): Promise<Delivery[]> {
    return waitFor(
      `${types} of ${uuid} delivered`,
      () => {
        const all = this.deliveriesOf(uuid);
        return all.filter(({ type }) => types.includes(type)).length >= types.length ? all : null;
      },
      60_000,
    );
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
