import { Agent } from 'undici';

/** Puts a pod to sleep with one POST and does nothing else. @param connections the most calls at once */
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
