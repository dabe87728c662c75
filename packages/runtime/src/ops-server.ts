import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';

export interface OpsServerOptions {
  /** Address to listen on; empty: all, IPv6 and IPv4. */
  readonly host: string;
  /** Port to listen on; 0: any free one. */
  readonly port: number;
  readonly ready: () => Promise<boolean>;
  /** Returns the text of `/metrics`. */
  readonly scrape: () => Promise<string>;
}

export interface OpsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves `/healthz`, `/readyz` and `/metrics` for a process that has no other server. */
export async function startOpsServer({ host, port, ready, scrape }: OpsServerOptions): Promise<OpsServer> {
  const answer = (response: ServerResponse, status: number, type: string, body: string) => {
    response.writeHead(status, { 'content-type': type }).end(body);
  };
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const url = request.url?.split('?')[0];
    if (url === '/healthz') return answer(response, 200, 'application/json', '{"status":"ok"}');
    if (url === '/readyz') {
      const up = await ready();
      return answer(response, up ? 200 : 503, 'application/json', `{"status":"${up ? 'ready' : 'not-ready'}"}`);
    }
    if (url === '/metrics') return answer(response, 200, Registry.PROMETHEUS_CONTENT_TYPE, await scrape());
    return answer(response, 404, 'application/json', '{"status":"not-found"}');
  };
  const server = createServer((request, response) => {
    serve(request, response).catch(() => answer(response, 503, 'application/json', '{"status":"not-ready"}'));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
