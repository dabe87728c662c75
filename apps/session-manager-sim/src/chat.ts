import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';

interface StreamOrder {
  readonly chunks: number;
  /** The pause between two chunks, in ms. */
  readonly intervalMs: number;
}

export type Message = { readonly stream?: StreamOrder } | string | number | boolean | readonly unknown[] | null;

const STREAM_SCHEMA = {
  type: 'object',
  required: ['chunks', 'intervalMs'],
  properties: {
    chunks: { type: 'integer', minimum: 1, maximum: 1_000_000 },
    intervalMs: { type: 'integer', minimum: 0, maximum: 600_000 },
  },
};

/** The schema of a chat: any message is valid, but a `stream` in it must be well-formed. */
export const CHAT_SCHEMA = {
  type: 'object',
  required: ['message'],
  properties: {
    message: { anyOf: [{ not: { type: 'object' } }, { type: 'object', properties: { stream: STREAM_SCHEMA } }] },
  },
};

async function* chunks({ chunks: count, intervalMs }: StreamOrder): AsyncGenerator<string> {
  for (let i = 1; i <= count; i++) {
    if (i > 1) await pause(intervalMs);
    yield `chunk ${i}\n`;
  }
}

/** Returns the pod's answer: an echo of the message, or for `{stream: {chunks, intervalMs}}` that many lines of text at that pace. */
export function streamChat(message: Message, reply: FastifyReply): unknown {
  const order = typeof message === 'object' && message !== null && 'stream' in message ? message.stream : undefined;
  if (!order) return { reply: message };
  reply.type('text/plain');
  return Readable.from(chunks(order));
}
