import { Agent } from 'undici';

/** One POST that puts a pod to sleep, and nothing else. @param connections at once */
export function bareSleep(sessionManager: string, connections: number): (uuid: string) => Promise<void> {
  const agent = new Agent({ connections });
  return async (uuid) => {
    const { body } = await agent.request({
      origin: sessionManager,
      path: `/session/${uuid}/sleep`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    await body.dump();
  };
}
