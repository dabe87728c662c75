import { createServer, type ServerResponse } from 'node:http';

// A session-manager that costs next to nothing: it answers each call at once, and records when each sleep call arrived.
const MEGABYTE = 1_048_576;
const CHUNK = Buffer.alloc(65_536, 'x');

let sleepCalls: [uuid: string, at: number][] = [];

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** Streams as many megabytes as requested, as fast as the caller reads them. */
function stream(response: ServerResponse, megabytes: number): void {
  let left = megabytes * MEGABYTE;
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': left });
  const more = () => {
    while (left > 0 && !response.destroyed) {
      left -= CHUNK.length;
      if (!response.write(CHUNK)) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}

const server = createServer((request, response) => {
  const [, first, uuid = '', call] = request.url?.split('/') ?? [];
  const at = Date.now();
  let body = '';
  request.on('data', (chunk) => {
    body += chunk;
  });
  request.on('end', () => {
    if (first === 'readyz') return json(response, {});
    // The sleep calls since the last request for the call log.
    if (first === 'journal') {
      json(response, sleepCalls);
      sleepCalls = [];
      return;
    }
    if (call === 'sleep') sleepCalls.push([uuid, at]);
    if (call !== 'chat') return json(response, call === 'status' ? { replicas: 1 } : {});
    const { message } = JSON.parse(body) as { message: { megabytes?: number } | string };
    if (typeof message === 'object' && message.megabytes) return stream(response, message.megabytes);
    json(response, { answer: `You said: ${message}` });
  });
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.env.PORT), '127.0.0.1');
