import { InvalidInput } from '@sandman/core';
import Fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import { addSecurityHeaders } from './headers.ts';
import { answerError, noSuchRoute } from './problems.ts';

async function build(): Promise<FastifyInstance> {
  const { default: scalar } = await import('@scalar/fastify-api-reference');
  const pages = Fastify();
  addSecurityHeaders(pages, 'pages');
  pages.setErrorHandler<FastifyError>((error, request, reply) =>
    // The plugin builds an absolute URL from the Host header; if that header is malformed, the error is the caller's.
    answerError(error.code === 'ERR_INVALID_URL' ? new InvalidInput('host', 'must be the name of a host') : error, request, reply),
  );
  pages.setNotFoundHandler((request, reply) => answerError(noSuchRoute(), request, reply));
  await pages.register(scalar, {
    routePrefix: '/docs',
    configuration: { url: '/openapi.json', withDefaultFonts: false, telemetry: false },
  });
  await pages.ready();
  return pages;
}

/** Serves the API's documentation page. It is built at the first request: loading it takes longer than the rest of the start. */
export function serveDocs(app: Pick<FastifyInstance, 'get'>): void {
  let pages: Promise<FastifyInstance> | null = null;
  for (const url of ['/docs', '/docs/*']) {
    app.get(url, { schema: { hide: true }, config: { withoutKey: 'large' } }, async (request, reply) => {
      pages ??= build();
      const { routing } = await pages;
      reply.hijack();
      routing(request.raw, reply.raw);
    });
  }
}
