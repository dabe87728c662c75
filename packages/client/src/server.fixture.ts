import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  // biome-ignore lint/suspicious/noExplicitAny: whatever came; a test knows what it should be.
  readonly body: any;
  /** When it arrived, in ms of the monotonic clock. */
  readonly at: number;
}

type Answering = (received: Received, answer: ServerResponse) => void;

/** A real HTTP server in Sandman's place. */
export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly received: Received[];
  /** How it answers requests from now on; tests replace it. */
  answering: Answering;
  close(): Promise<void>;
}

export function answerJson(answer: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  answer.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

export function answerProblem(answer: ServerResponse, status: number, code: string, headers: Record<string, string> = {}): void {
  const body = { type: `urn:sandman:problem:${code}`, title: code, status, detail: `because of ${code}`, code };
  answerJson(answer, status, body, { 'content-type': 'application/problem+json', ...headers });
}

/** Accepts every event of a batch. */
export const accepting: Answering = ({ body }, answer) => answerJson(answer, 202, { accepted: body.events.length, rejected: [] });

/** @param port to listen on; by default any free one */
export async function startServer(answering: Answering = accepting, port = 0): Promise<TestServer> {
  const received: Received[] = [];
  const server = createServer(async (request, answer) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    const { method = '', url = '', headers } = request;
    const one = { method, path: url, headers, body: text === '' ? null : JSON.parse(text), at: performance.now() };
    received.push(one);
    it.answering(one, answer);
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  const it: TestServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    port: (server.address() as AddressInfo).port,
    received,
    answering,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return it;
}
