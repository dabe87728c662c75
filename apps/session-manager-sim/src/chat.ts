import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';

interface StreamOrder {
  readonly chunks: number;
  readonly intervalMs: number;
}

async function* chunks({ chunks: count, intervalMs }: StreamOrder): AsyncGenerator<string> {
  for (let i = 1; i <= count; i++) {
    if (i > 1) await pause(intervalMs);
    yield `chunk ${i}\n`;
  }
}

/** The pod's answer: an echo, or for `{stream: {chunks, intervalMs}}` that many lines of text at that pace. */
export function streamChat(message: unknown, reply: FastifyReply): unknown {
  const order = (message as { stream?: StreamOrder } | null)?.stream;
  if (!order) return { reply: message };
  reply.type('text/plain');
  return Readable.from(chunks(order));
}
