import type { ServerResponse } from 'node:http';
import { SandmanError, type SessionRecord, statusOf } from '@sandman/core';
import type { SessionService } from '@sandman/lifecycle';
import type { SessionManagerClient } from '@sandman/session-manager';
import type { FastifyReply } from 'fastify';
import { keepAwake } from './keep-awake.ts';

export interface ChatDeps {
  readonly service: SessionService;
  readonly sessionManager: SessionManagerClient;
  /** `SESSION_MANAGER_TIMEOUT`, ms. */
  readonly timeout: number;
}

/** What a pod's answer says of its own body. */
const FORWARDED = ['content-type', 'content-encoding', 'content-language', 'content-length', 'cache-control', 'retry-after'];

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

/** After its activity: a wake if need be, then the message goes to the pod, once, and its answer streams back. */
export async function chat(
  { service, sessionManager, timeout }: ChatDeps,
  record: SessionRecord,
  message: unknown,
  reply: FastifyReply,
): Promise<void> {
  const { uuid } = record;
  const letGo = keepAwake(service, record);
  try {
    if (statusOf(record) !== 'active' && !(await service.untilAwake(uuid, timeout))) {
      throw new SandmanError('session-manager-timeout', `Session ${uuid} was not awake within ${timeout} ms`);
    }
    const answer = await sessionManager.chat(uuid, message);
    if (answer.status === 404) {
      answer.body.resume();
      await service.verify(uuid, Math.min(timeout, VERIFY_MS));
      throw new SandmanError('session-manager-error', `The session-manager does not find the pod of session ${uuid}`);
    }
    // Rare, and the answer need not wait for it: where it fails, one 404 more may count than should.
    if (record.missingSince > 0 && answer.status < 400) service.found(uuid).catch(() => {});
    reply.hijack();
    const { raw } = reply;
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
        // A caller who hung up does not cut the pod's work: the answer is read to its end.
        if (!raw.destroyed && !raw.write(chunk)) await writable(raw, timeout);
      }
      raw.end();
    } catch {
      // The pod's stream broke: so must ours, or the caller would take half an answer for a whole one.
      raw.destroy();
    }
  } finally {
    letGo();
  }
}
