import { createHash, timingSafeEqual } from 'node:crypto';
import basicAuth from '@fastify/basic-auth';
import fp from 'fastify-plugin';

export interface LoginOptions {
  readonly user: string;
  readonly password: string;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** One user and password before everything but the probes, compared in constant time. */
export const login = fp<LoginOptions>(
  async (app, { user, password }) => {
    const expected = [digest(user), digest(password)] as const;
    await app.register(basicAuth, {
      authenticate: { realm: 'Sandman' },
      validate: async (name, secret) => {
        const right = [timingSafeEqual(digest(name), expected[0]), timingSafeEqual(digest(secret), expected[1])];
        if (!right.every(Boolean)) throw Object.assign(new Error('Wrong user or password'), { statusCode: 401 });
      },
    });
    app.addHook('onRequest', (request, reply, done) => {
      if (request.url === '/healthz' || request.url === '/readyz') done();
      else app.basicAuth(request, reply, done);
    });
  },
  { name: 'login' },
);
