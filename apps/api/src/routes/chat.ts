import { isUtf8 } from 'node:buffer';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { ChatBody, UuidParams } from '@sandman/contracts';
import { InvalidInput } from '@sandman/core';
import { forwardChat } from '../chat.ts';
import { type ApiDeps, chatTimeoutOf } from '../deps.ts';
import { checkMessage } from '../inputs.ts';
import { recordRefused } from '../refused-activity.ts';
import { signalCounts } from '../signal-counts.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The body of a chat as received; it is passed on unchanged, without a byte order mark. */
    chatBody: Buffer | null;
  }
}

const BYTE_ORDER_MARK = Buffer.from('\uFEFF');

/** Serves the route that passes messages on to a session's pod. */
export const chatRoutes: FastifyPluginAsyncTypebox<ApiDeps> = async (app, deps) => {
  const { env, service, sessionManager, metrics } = deps;
  const chat = { service, sessionManager, timeout: env.SESSION_MANAGER_TIMEOUT, chatTimeout: chatTimeoutOf(env) };
  const { counted } = signalCounts(metrics);

  // A message is parsed only to check it. The received bytes are passed on, and the parsed value is dropped.
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

  // Fastify waits only for connected callers, but a pod's answer is read to its end even after the caller has disconnected.
  const chats = new Set<Promise<void>>();
  app.addHook('onClose', async () => {
    await Promise.allSettled(chats);
  });
  app.post(
    '/sessions/:uuid/chat',
    {
      schema: { params: UuidParams, body: ChatBody },
      config: { waits: true, refused: recordRefused(deps) },
      bodyLimit: env.CHAT_BODY_LIMIT,
    },
    async (request, reply) => {
      const { chatBody, params } = request;
      checkMessage(request.body.message);
      // Drops the parsed message: the answer may take long, and the bytes are kept anyway.
      request.body = { message: null };
      const send = async () => {
        // The message is sent before the alarms have moved; only the end of the chat waits for that.
        const taken = await counted('user', service.activity.recordAhead(params.uuid, 'user', null));
        await forwardChat(chat, taken, chatBody!, reply).finally(() => taken.armed);
      };
      const running = send();
      request.work = running.catch(() => {});
      chats.add(running);
      await running.finally(() => chats.delete(running));
      return reply;
    },
  );
};
