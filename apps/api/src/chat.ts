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
  /** `SESSION_MANAGER_TIMEOUT`, ms: bounds the wait for the wake. */
  readonly timeout: number;
  /** `CHAT_TIMEOUT`, ms: bounds how long a message is sent again to a pod that starts. */
  readonly chatTimeout: number;
}

/** The headers of a pod's answer that are passed on: those that describe its body, and how to treat it. */
const FORWARDED = [
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

/** How long a message waits at most until a status that is about to be read was, in ms. */
const CHECK_MS = 2_000;
/** How long a chat whose pod was not found waits until that is confirmed, in ms. */
const VERIFY_MS = 5_000;

/** Until the caller has read, or has gone; one who does not read for `timeout` ms is taken to have gone. */
function writable(raw: ServerResponse, timeout: number): Promise<void> {
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

/** For how long after a wake a pod may have replicas and not serve yet, in ms. */
const STARTING_MS = 60_000;
/** From one try to send a message to a pod that starts to the next, in ms: at first, and at most. */
const FIRST_TRY_MS = 100;
const LONGEST_TRY_MS = 1_000;

/** With these an ingress answers for a pod that is not there. */
const UNANSWERED = new Set([502, 503, 504]);

/** Sends a message until the pod has it. Only what the pod surely does not have is sent again, and only while it may be starting. */
async function send(
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

/** A session whose pod did not answer the message before: how it is once its status was read, or after a moment. */
async function checked({ service, timeout }: ChatDeps, { record }: LiveReading): Promise<LiveReading> {
  const found = await service.untilAwake(record.uuid, { timeout: Math.min(timeout, CHECK_MS) }, record.verifyAt);
  return found ?? service.get(record.uuid);
}

/**
 * Wakes the session if need be, then sends the message to the pod and streams its answer back. Its activity was recorded before.
 *
 * @param message the body of the request, `{"message": …}`, as the session-manager takes it, too
 */
export async function chat(deps: ChatDeps, reading: LiveReading, message: Buffer, reply: FastifyReply): Promise<void> {
  const { service, timeout } = deps;
  const { record } = reading;
  const { uuid } = record;
  const { raw } = reply;
  // A caller who hung up does not cut the pod's work: it goes on as background activity, which has its bound.
  const bound = new AbortController();
  const letGo = keepAwake(service, reading, { connected: () => !raw.destroyed, spent: () => bound.abort() });
  // The pod did not answer as an awake one does: another party may have scaled it down.
  const check = () => service.check(uuid).catch(() => {});
  try {
    const found = isBeingChecked(record, reading.now) ? await checked(deps, reading) : reading;
    const awake = statusOf(found.record) === 'active' ? found : await service.untilAwake(uuid, { timeout });
    if (!awake) throw new SandmanError('session-manager-timeout', `Session ${uuid} was not awake within ${timeout} ms`);
    let answer: ChatAnswer;
    try {
      answer = await send(deps, awake, message, bound.signal);
    } catch (error) {
      await check();
      throw error;
    }
    if (answer.status === 404) {
      answer.body.resume();
      await service.verify(uuid, Math.min(timeout, VERIFY_MS));
      throw new SandmanError('session-manager-error', `The session-manager does not find the pod of session ${uuid}`);
    }
    if (UNANSWERED.has(answer.status)) await check();
    // Rare, and the answer need not wait for it: where it fails, one 404 more may count than should.
    else if (record.missingSince > 0 && answer.status < 400) service.found(uuid).catch(() => {});
    if (answer.status < 200 || answer.status > 599) {
      answer.body.destroy();
      throw new SandmanError('session-manager-error', `The session-manager answered a chat with HTTP ${answer.status}`);
    }
    reply.hijack();
    for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
    for (const name of FORWARDED) {
      const value = answer.headers[name];
      if (value !== undefined) raw.setHeader(name, value);
    }
    raw.statusCode = answer.status;
    // With the first chunk if that is there, and alone if it keeps waiting.
    setImmediate(() => {
      if (!raw.headersSent) raw.flushHeaders();
    });
    raw.on('error', () => {});
    try {
      for await (const chunk of answer.body) {
        // After the caller hung up, the answer is read on and dropped, so that the pod can finish its work.
        if (!raw.destroyed && !raw.write(chunk)) await writable(raw, timeout);
      }
      raw.end();
    } catch {
      // The pod's stream broke: so must ours, or the caller would take half an answer for a whole one.
      raw.destroy();
      await check();
    }
  } finally {
    letGo();
  }
}
