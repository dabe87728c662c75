import { isUtf8 } from 'node:buffer';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { ChatBody, UuidParams } from '@sandman/contracts';
import { InvalidInput } from '@sandman/core';
import { chat } from '../chat.ts';
import type { ApiDeps } from '../deps.ts';
import { checkMessage } from '../inputs.ts';
import { recordRefused } from '../refused-activity.ts';
import { signalCounts } from '../signal-counts.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The body of a chat as it came, which is passed on as it is. */
    chatBody: Buffer | null;
  }
}

const BYTE_ORDER_MARK = Buffer.from('\uFEFF');

/** Messages for a session's pod. */
export const chatRoutes: FastifyPluginAsyncTypebox<ApiDeps> = async (app, deps) => {
  const { service, metrics, chatBodyLimit } = deps;
  const { counted } = signalCounts(metrics);

  // A message is checked and passed on as the bytes that came: of what it was parsed to nothing is kept.
  const parseJson = app.getDefaultJsonParser('ignore', 'ignore');
  app.decorateRequest('chatBody', null);
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (!isUtf8(body)) return done(new InvalidInput('body', 'must be UTF-8'));
    request.keptBytes = body.length;
    if (body.length === 0) return done(null, undefined);
    request.chatBody = body.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK) ? body.subarray(BYTE_ORDER_MARK.length) : body;
    return parseJson(request, request.chatBody.toString(), done);
  });

  // Fastify waits for its callers; a pod's answer is read to its end even when the caller has gone.
  const chats = new Set<Promise<void>>();
  app.addHook('onClose', async () => {
    await Promise.allSettled(chats);
  });
  app.post(
    '/sessions/:uuid/chat',
    { schema: { params: UuidParams, body: ChatBody }, config: { waits: true, refused: recordRefused(deps) }, bodyLimit: chatBodyLimit },
    async (request, reply) => {
      const { chatBody, params } = request;
      checkMessage(request.body.message);
      // The parsed message is given up, here too: the answer may take long, and the bytes are kept.
      request.body = { message: null };
      const send = async () => {
        // The message does not wait until the alarms have moved; the end of the chat does.
        const taken = await counted('user', service.activityAhead(params.uuid, 'user', null));
        await chat(deps, taken, chatBody!, reply).finally(() => taken.armed);
      };
      const running = send();
      request.work = running.catch(() => {});
      chats.add(running);
      await running.finally(() => chats.delete(running));
      return reply;
    },
  );
};
