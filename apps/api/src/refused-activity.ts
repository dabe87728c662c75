import { UUID } from '@sandman/core';
import type { FastifyRequest } from 'fastify';
import type { ApiDeps } from './deps.ts';
import { signalCounts } from './signal-counts.ts';

/** Records the activity of a user whose request about a session is refused because it finds no memory. */
export function recordRefused({ service, metrics, admitted }: ApiDeps): (request: FastifyRequest) => void {
  const { counted } = signalCounts(metrics);
  return ({ params }) => {
    const { uuid } = params as { uuid: string };
    if (admitted() && UUID.test(uuid)) counted('user', service.activity(uuid, 'user', null)).catch(() => {});
  };
}
