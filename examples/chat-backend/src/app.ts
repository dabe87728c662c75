import { type SandmanClient, SandmanError } from '@sandman/client';
import Fastify, { type FastifyInstance } from 'fastify';
import { workspacesOf } from './workspaces.ts';

const userId = { type: 'string', minLength: 1, maxLength: 255 };
const USER_SCHEMA = { body: { type: 'object', required: ['userId'], properties: { userId } } };
const MESSAGE_SCHEMA = { body: { ...USER_SCHEMA.body, required: ['userId', 'message'] } };
type UserBody = { userId: string };

/** Builds a chat backend. It handles users and their messages, and leaves the pods to Sandman. */
export function buildChatBackend(sandman: SandmanClient): FastifyInstance {
  const app = Fastify({ logger: { level: 'error' }, ajv: { customOptions: { coerceTypes: false } } });
  const workspaceOf = workspacesOf(sandman);

  app.post<{ Body: UserBody }>('/chat/start', { schema: USER_SCHEMA }, async ({ body }) => {
    const { workspaceUrl } = await workspaceOf(body.userId);
    return { workspaceUrl };
  });

  // A message sent through Sandman counts as the user's activity, wakes a sleeping pod, and keeps it awake while it answers.
  app.post<{ Body: UserBody & { message: unknown } }>('/chat/message', { schema: MESSAGE_SCHEMA }, async ({ body }, reply) => {
    const ask = async () => sandman.chat((await workspaceOf(body.userId)).uuid, body.message);
    // If the pod was deleted in between, it received no message. Send it once more, to a new pod.
    const gone = ['session-not-found', 'session-deleted'];
    const answer = await ask().catch((error) => (gone.includes(error.code) ? ask() : Promise.reject(error)));
    const type = answer.headers.get('content-type');
    if (type) reply.type(type);
    return reply.code(answer.status).send(answer.body);
  });

  app.post<{ Body: UserBody }>('/chat/logout', { schema: USER_SCHEMA }, async ({ body }) => {
    await sandman.logout(body.userId);
    return { success: true };
  });

  app.get('/healthz', () => ({ status: 'ok' }));

  app.setErrorHandler((error, request, reply) => {
    if (!(error instanceof SandmanError)) return reply.send(error);
    const { status, code, detail } = error;
    // A bad request and a failure of the pod are passed on; any other error means that Sandman is unavailable.
    if (status === 400 || status === 502 || status === 504) return reply.code(status).send({ message: detail });
    request.log.error(error);
    return reply.code(503).send({ message: `Sandman cannot be asked at the moment (${code}): please try again soon` });
  });
  // During the shutdown, close each connection after its answer: a kept one would delay the exit.
  app.addHook('onResponse', async ({ socket }) => {
    if (!app.server.listening) socket.end();
  });
  app.addHook('onClose', () => sandman.close());
  return app;
}
