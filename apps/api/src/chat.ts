import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { isBeingChecked, type LiveReading, SandmanError, statusOf } from '@sandman/core';
import type { SessionService } from '@sandman/lifecycle';
import { type ChatAnswer, type SessionManagerClient, wasSent } from '@sandman/session-manager';
import type { FastifyReply } from 'fastify';
import { keepAwake } from './keep-awake.ts';

export interface ChatDeps {
  readonly service: SessionService;
  readonly sessionManager: SessionManagerClient;
  /** `SESSION_MANAGER_TIMEOUT`, ms: the longest wait for the wake, and for a caller that does not read. */
  readonly timeout: number;
  /** `CHAT_TIMEOUT`, ms: how long a message may be retried while the pod starts. */
  readonly chatTimeout: number;
}

/** The headers of a pod's answer that are passed on: they describe the body and how to treat it. */
const FORWARDED_HEADERS = [
  'content-type',
  'content-encoding',
  'content-language',
  'content-length',
  'content-disposition',
  'cache-control',
  'location',
  'retry-after',
  'x-accel-buffering',
];

/** The longest time a message waits for a status read that is already due, in ms. */
const STATUS_READ_WAIT_MS = 2_000;
/** The longest time a chat whose pod was not found waits for a worker to confirm that, in ms. */
const VERIFY_WAIT_MS = 5_000;

/** Waits until the caller has read what was written, or has disconnected. Disconnects a caller that reads nothing for `timeout` ms. */
function untilWritable(raw: ServerResponse, timeout: number): Promise<void> {
  return new Promise((resolve) => {
    const stuck = setTimeout(() => raw.destroy(), timeout);
    const go = () => {
      clearTimeout(stuck);
      raw.off('drain', go).off('close', go);
      resolve();
    };
    raw.on('drain', go).on('close', go);
  });
}

/** How long after a wake a pod may have replicas and not serve yet, in ms. */
const STARTING_MS = 60_000;
/** The first and the longest pause between tries to send a message to a pod that is starting, in ms. */
const FIRST_TRY_MS = 100;
const LONGEST_TRY_MS = 1_000;

/** The statuses with which an ingress answers when it cannot reach the pod. */
const UNREACHABLE_STATUSES = new Set([502, 503, 504]);

/** Sends a message, and retries only while the pod may be starting and only if the pod certainly did not receive it. */
async function sendWithRetry(
  { sessionManager, chatTimeout }: ChatDeps,
  { record, now }: LiveReading,
  message: Buffer,
  signal: AbortSignal,
): Promise<ChatAnswer> {
  const started = record.wokenAt === 0 ? Number.POSITIVE_INFINITY : now - record.wokenAt;
  const end = performance.now() + Math.min(chatTimeout, STARTING_MS - started);
  for (let pause = FIRST_TRY_MS; ; pause = Math.min(2 * pause, LONGEST_TRY_MS)) {
    const isLast = signal.aborted || !(performance.now() + pause < end);
    try {
      const answer = await sessionManager.chat(record.uuid, message, { signal });
      if (answer.status !== 503 || isLast) return answer;
      answer.body.destroy();
    } catch (error) {
      if (wasSent(error) || isLast) throw error;
    }
    await wait(pause);
  }
}

/** Reads a session whose status is due to be read, after that read or after at most 2 s. */
async function afterStatusRead({ service, timeout }: ChatDeps, { record }: LiveReading): Promise<LiveReading> {
  const found = await service.untilAwake(record.uuid, { timeout: Math.min(timeout, STATUS_READ_WAIT_MS) }, record.verifyAt);
  return found ?? service.get(record.uuid);
}

/**
 * Wakes the session if needed, sends the message to the pod and streams its answer back. The caller has recorded the activity.
 *
 * @param message the body of the request, `{"message": …}`, which is also what the session-manager expects
 */
export async function forwardChat(deps: ChatDeps, reading: LiveReading, message: Buffer, reply: FastifyReply): Promise<void> {
  const { service, timeout } = deps;
  const { record } = reading;
  const { uuid } = record;
  const { raw } = reply;
  // If the caller disconnects, the pod's work goes on as background activity until `backgroundCap` is used up.
  const bound = new AbortController();
  const letGo = keepAwake(service, reading, { connected: () => !raw.destroyed, backgroundEnded: () => bound.abort() });
  // Called when the pod did not answer as an awake one does: another party may have scaled it to 0.
  const check = () => service.check(uuid).catch(() => {});
  try {
    const found = isBeingChecked(record, reading.now) ? await afterStatusRead(deps, reading) : reading;
    const awake = statusOf(found.record) === 'active' ? found : await service.untilAwake(uuid, { timeout });
    if (!awake) throw new SandmanError('session-manager-timeout', `Session ${uuid} was not awake within ${timeout} ms`);
    let answer: ChatAnswer;
    try {
      answer = await sendWithRetry(deps, awake, message, bound.signal);
    } catch (error) {
      await check();
      throw error;
    }
    if (answer.status === 404) {
      answer.body.resume();
      await service.verify(uuid, Math.min(timeout, VERIFY_WAIT_MS));
      throw new SandmanError('session-manager-error', `The session-manager does not find the pod of session ${uuid}`);
    }
    if (UNREACHABLE_STATUSES.has(answer.status)) await check();
    // Clears the note of an earlier 404. Not awaited: if this write fails, that 404 only counts for longer than it should.
    else if (record.missingSince > 0 && answer.status < 400) service.found(uuid).catch(() => {});
    if (answer.status < 200 || answer.status > 599) {
      answer.body.destroy();
      throw new SandmanError('session-manager-error', `The session-manager answered a chat with HTTP ${answer.status}`);
    }
    reply.hijack();
    for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
    for (const name of FORWARDED_HEADERS) {
      const value = answer.headers[name];
      if (value !== undefined) raw.setHeader(name, value);
    }
    raw.statusCode = answer.status;
    // Sends the headers together with the first chunk if it is available, otherwise alone.
    setImmediate(() => {
      if (!raw.headersSent) raw.flushHeaders();
    });
    raw.on('error', () => {});
    try {
      for await (const chunk of answer.body) {
        // After the caller has disconnected, the answer is still read, and dropped, so that the pod can finish its work.
        if (!raw.destroyed && !raw.write(chunk)) await untilWritable(raw, timeout);
      }
      raw.end();
    } catch {
      // The pod's stream broke off. Break off the answer too, or the caller would take a part of it for the whole.
      raw.destroy();
      await check();
    }
  } finally {
    letGo();
  }
}
