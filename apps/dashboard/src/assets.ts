import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, stop } from 'esbuild';
import type { FastifyInstance } from 'fastify';

const PAGE_FOLDER = new URL('./page/', import.meta.url);

const INDEX_HTML = `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Sandman</title>
  <link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/assets/style.css">
  <script type="module" src="/assets/main.js"></script>
</head>
<body><noscript>This page needs JavaScript.</noscript></body>
</html>
`;

/** Bundles the page's script and styles with everything they import; dynamic imports become files of their own. */
async function bundle(): Promise<{ path: string; body: string }[]> {
  const { outputFiles } = await build({
    entryPoints: ['main.ts', 'style.css'].map((file) => fileURLToPath(new URL(file, PAGE_FOLDER))),
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    target: 'es2024',
    legalComments: 'none',
    write: false,
    outdir: '/',
  });
  // Otherwise esbuild's own process would run as long as this one.
  await stop();
  return outputFiles.map(({ path, text }) => ({ path: path.slice(path.lastIndexOf('/') + 1), body: text }));
}

const CONTENT_TYPES: Record<string, string> = { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' };

/** Serves the page and its assets from memory. They are built once, when the process starts; nothing is loaded from another host. */
export async function serveAssets(app: FastifyInstance): Promise<void> {
  const icon = { path: 'icon.svg', body: readFileSync(new URL('icon.svg', PAGE_FOLDER), 'utf8') };
  for (const { path, body } of [...(await bundle()), icon]) {
    const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
    const type = `${CONTENT_TYPES[path.slice(path.lastIndexOf('.') + 1)]}; charset=utf-8`;
    app.get(`/assets/${path}`, { config: { open: true } }, (request, reply) => {
      reply.headers({ etag, 'cache-control': 'no-cache' });
      return request.headers['if-none-match'] === etag ? reply.code(304).send() : reply.type(type).send(body);
    });
  }
  app.get('/', (_, reply) => reply.type('text/html').header('cache-control', 'no-store').send(INDEX_HTML));
}
