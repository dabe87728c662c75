import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { transformSync } from 'amaro';
import type { FastifyInstance } from 'fastify';

/** The page's own files, and beside them those of libraries that it loads as they are. */
const PAGE = new URL('./page/', import.meta.url);
const LIT = new URL('../', import.meta.resolve('lit-html'));
const UPLOT = new URL('./', import.meta.resolve('uplot'));
const LIBRARIES = [
  ...['lit-html.js', 'directive.js', 'directive-helpers.js', 'directives/repeat.js'].map((file) => ({
    path: `lit-html/${file}`,
    url: new URL(file, LIT),
  })),
  ...['uPlot.esm.js', 'uPlot.min.css'].map((file) => ({ path: `uplot/${file}`, url: new URL(file, UPLOT) })),
];

const TYPES: Record<string, string> = { ts: 'text/javascript', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' };

/** What browsers are told of where bare names are. */
const IMPORT_MAP = JSON.stringify({
  imports: { 'lit-html': '/assets/lit-html/lit-html.js', 'lit-html/': '/assets/lit-html/', uplot: '/assets/uplot/uPlot.esm.js' },
});

/** Allows the import map, and no other script that stands in a page. */
export const IMPORT_MAP_SOURCE = `'sha256-${createHash('sha256').update(IMPORT_MAP).digest('base64')}'`;

interface Asset {
  readonly path: string;
  readonly type: string;
  readonly body: string;
  readonly tag: string;
}

function load({ path, url }: { path: string; url: URL }): Asset {
  const ending = path.slice(path.lastIndexOf('.') + 1);
  const text = readFileSync(url, 'utf8');
  // As Node runs ours: the types become blanks, and what is left is JavaScript.
  const body = ending === 'ts' ? transformSync(text, { mode: 'strip-only' }).code : text.replace(/^\/\/# sourceMappingURL=.*$/m, '');
  return { path, type: `${TYPES[ending]}; charset=utf-8`, body, tag: `"${createHash('sha256').update(body).digest('base64url')}"` };
}

/** The page itself, which is told at once of all that it will ask for. */
function index(assets: readonly Asset[]): string {
  const scripts = assets.filter(({ type }) => type.startsWith('text/javascript'));
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Sandman</title>
  <link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/assets/uplot/uPlot.min.css">
  <link rel="stylesheet" href="/assets/style.css">
  <script type="importmap">${IMPORT_MAP}</script>
${scripts.map(({ path }) => `  <link rel="modulepreload" href="/assets/${path}">`).join('\n')}
  <script type="module" src="/assets/main.ts"></script>
</head>
<body><noscript>This page needs JavaScript.</noscript></body>
</html>
`;
}

/** The page, and all it is made of, out of memory. Nothing comes from another host. */
export function serveAssets(app: FastifyInstance): void {
  const own = readdirSync(PAGE).filter((file) => file.split('.').pop()! in TYPES);
  const assets = [...own.map((file) => ({ path: file, url: new URL(file, PAGE) })), ...LIBRARIES].map(load);
  for (const { path, type, body, tag } of assets) {
    app.get(`/assets/${path}`, { config: { open: true } }, (request, reply) => {
      reply.headers({ etag: tag, 'cache-control': 'no-cache' });
      return request.headers['if-none-match'] === tag ? reply.code(304).send() : reply.type(type).send(body);
    });
  }
  const page = index(assets);
  app.get('/', (_, reply) => reply.type('text/html').header('cache-control', 'no-store').send(page));
}
