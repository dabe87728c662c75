/** One event of an event stream. */
export interface Frame {
  /** The last id received, in this frame or an earlier one. */
  readonly id: string;
  /** Empty if the frame has no event type. */
  readonly event: string;
  readonly data: string;
}

function frameOf(text: string, id: string): Frame {
  const frame = { id, event: '', data: '' };
  for (const line of text.split('\n')) {
    const [, name, value] = /^(id|event|data): ?(.*)$/.exec(line) ?? [];
    if (name === 'data') frame.data += frame.data ? `\n${value}` : value;
    else if (name === 'id' || name === 'event') frame[name] = value ?? '';
  }
  return frame;
}

/**
 * Yields the events of a `text/event-stream`, each once it is complete. An event that a broken connection cut off is left out.
 *
 * @param silence how long the connection may be without a byte, in ms; after that the stream ends
 * @throws Error if the connection breaks
 */
export async function* frames(answer: Response, silence: number): AsyncGenerator<Frame, void, void> {
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  const next = async () => {
    const timer = setTimeout(() => reader.cancel().catch(() => {}), silence);
    return reader.read().finally(() => clearTimeout(timer));
  };
  let text = '';
  let id = '';
  try {
    for (let read = await next(); !read.done; read = await next()) {
      const parts = (text + read.value).split('\n\n');
      text = parts.pop()!;
      for (const part of parts) {
        const frame = frameOf(part, id);
        id = frame.id;
        yield frame;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
