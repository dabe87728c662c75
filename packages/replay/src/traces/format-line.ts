import type { TraceEvent } from '../line.ts';

const TAIL = { user: '}\n', background: ',"kind":"background"}\n', logout: ',"event":"logout"}\n' } as const;

/** The line of a trace that says so, with its end. Nothing needs escaping: a uuid has no such characters. */
export function formatLine({ uuid, at, event, inferred }: TraceEvent & { readonly inferred?: true }): string {
  return `{"uuid":"${uuid}","at":"${new Date(at).toISOString()}"${inferred ? ',"inferred":true' : ''}${TAIL[event]}`;
}
