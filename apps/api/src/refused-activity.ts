import { UUID } from '@sandman/core';
import type { FastifyRequest } from 'fastify';
import type { ApiDeps } from './deps.ts';
import { signalCounts } from './signal-counts.ts';

/** Records the user's activity when their request about a session is refused for lack of memory. */
export function recordRefused({ service, metrics, admission }: ApiDeps): (request: FastifyRequest) => void {
  const { counted } = signalCounts(metrics);
  return ({ params }) => {
    const { uuid } = params as { uuid: string };
    if (admission.isGiven && UUID.test(uuid)) counted('user', service.activity.record(uuid, 'user', null)).catch(() => {});
  };
}
