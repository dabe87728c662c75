import { connect, type Socket } from 'node:net';

// Attacks an API: `ATTACK` names the kind of attack, `ATTACKERS` is the number of connections, `PORT` the API's port.
const { ATTACK = '', ATTACKERS = '1', PORT = '', API_KEY = '', UUIDS = '' } = process.env;
const attackers = Number(ATTACKERS);
const uuids = UUIDS.split(',');

/** The delay before a closed connection is opened again, in ms. */
const RECONNECT_MS = 1_000;
const TICK_MS = 100;
const PIPELINED_BYTES_PER_SECOND = 218_000;
const MEGABYTE = 1_048_576;

const HEAD = `host: sandman\r\nx-api-key: ${API_KEY}\r\ncontent-type: application/json\r\n`;

/** Keeps a connection open and calls `use` each time it is established. The function that `use` returns stops its work. */
function keepConnected(use: (socket: Socket) => () => void): void {
  const socket = connect(Number(PORT), '127.0.0.1');
  let stop = () => {};
  socket.once('connect', () => {
    stop = use(socket);
  });
  socket.on('error', () => {});
  socket.once('close', () => {
    stop();
    setTimeout(keepConnected, RECONNECT_MS, use);
  });
  socket.resume();
}

function every(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
}

function post(path: string, body: string): string {
  return `POST ${path} HTTP/1.1\r\n${HEAD}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

const ATTACK_FUNCTIONS: Record<string, (index: number) => void> = {
  /** Sends requests without a key and waits for no answer. */
  pipeline: () =>
    keepConnected((socket) => {
      const request = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';
      return every(TICK_MS, () => socket.write(request.repeat(PIPELINED_BYTES_PER_SECOND / (1_000 / TICK_MS) / request.length)));
    }),
  /** Sends a body without a key, a byte a second. */
  drip: () =>
    keepConnected((socket) => {
      socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n');
      return every(1_000, () => socket.write('1\r\n \r\n'));
    }),
  /** Sends full batches (1,000 events) for one user, each as soon as the one before is answered. */
  batch: () => {
    const request = post('/v1/activity', JSON.stringify({ events: Array.from({ length: 1_000 }, () => ({ userId: 'many' })) }));
    keepConnected((socket) => {
      socket.write(request);
      socket.on('data', () => socket.write(request));
      return () => {};
    });
  },
  /** Sends a chat message of 1 MB, which is never answered. */
  chat: (index) =>
    keepConnected((socket) => {
      socket.write(post(`/v1/sessions/${uuids[index % uuids.length]}/chat`, JSON.stringify({ message: 'x'.repeat(MEGABYTE - 100) })));
      return () => {};
    }),
  /** Asks for a wake, waits for it, and closes the connection after `AGAIN_MS`. */
  wait: (index) => {
    const socket = connect(Number(PORT), '127.0.0.1', () => {
      socket.write(post(`/v1/sessions/${uuids[index % uuids.length]}/wake?wait=120s`, ''));
      setTimeout(() => socket.destroy(), RECONNECT_MS);
    });
    socket.on('error', () => {});
  },
};

for (let index = 0; index < attackers; index++) ATTACK_FUNCTIONS[ATTACK]?.(index);
