import type { FastifyInstance } from 'fastify';

/** The security headers of every answer but the pages: data for the caller's own code, to be kept nowhere and shown in no frame. */
export const OF_DATA = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
};

/** The docs page carries its script and styles in itself; nothing comes from another host. */
const OF_PAGES = {
  'content-security-policy':
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; " +
    "img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
};

/** Sets the security headers of all that `app` answers; the same ones each time, so they cost next to nothing. */
export function secure(app: Pick<FastifyInstance, 'addHook'>, kind: 'data' | 'pages'): void {
  const headers = kind === 'data' ? OF_DATA : OF_PAGES;
  app.addHook('onRequest', (_, reply, done) => {
    reply.headers(headers);
    done();
  });
}
