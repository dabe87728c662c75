/**
 * Yields the named events of an event stream as they come, each with its data as text, until the server ends the stream.
 * Leaving the loop closes the connection.
 */
export async function* eventFrames(url: string, headers: Record<string, string>): AsyncGenerator<{ event: string; data: string }> {
  const answer = await fetch(url, { headers });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  let text = '';
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    const frames = (text + chunk).split('\n\n');
    text = frames.pop()!;
    for (const frame of frames) {
      const [, event, data] = /^event: (.*)\ndata: (.*)$/m.exec(frame) ?? [];
      if (event !== undefined) yield { event, data: data! };
    }
  }
}

/**
 * Parses the data of the next event of that name, and skips others.
 *
 * @throws Error if the stream ends before it
 */
export async function nextEvent<T>(frames: AsyncGenerator<{ event: string; data: string }>, event: string): Promise<T> {
  for (;;) {
    const { value, done } = await frames.next();
    if (done) throw new Error(`the stream ended before a ${event}`);
    if (value.event === event) return JSON.parse(value.data) as T;
  }
}
