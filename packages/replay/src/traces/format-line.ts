import type { TraceEvent } from '../line.ts';

const TAIL = { user: '}\n', background: ',"kind":"background"}\n', logout: ',"event":"logout"}\n' } as const;

/** Formats an event as a line of a trace, with its line end. A uuid has no characters that need escaping. */
export function formatLine({ uuid, at, event, inferred }: TraceEvent & { readonly inferred?: true }): string {
  return `{"uuid":"${uuid}","at":"${new Date(at).toISOString()}"${inferred ? ',"inferred":true' : ''}${TAIL[event]}`;
}
