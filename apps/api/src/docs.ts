import Fastify, { type FastifyInstance } from 'fastify';
import { secure } from './headers.ts';

async function build(): Promise<FastifyInstance> {
  const { default: scalar } = await import('@scalar/fastify-api-reference');
  const pages = Fastify();
  secure(pages, 'pages');
  await pages.register(scalar, {
    routePrefix: '/docs',
    configuration: { url: '/openapi.json', withDefaultFonts: false, telemetry: false },
  });
  await pages.ready();
  return pages;
}

/** The readable docs. They are built when somebody first asks: to load them takes longer than all the rest of a start. */
export function serveDocs(app: Pick<FastifyInstance, 'get'>): void {
  let pages: Promise<FastifyInstance> | null = null;
  for (const url of ['/docs', '/docs/*']) {
    app.get(url, { schema: { hide: true } }, async (request, reply) => {
      pages ??= build();
      const { routing } = await pages;
      reply.hijack();
      routing(request.raw, reply.raw);
    });
  }
}
