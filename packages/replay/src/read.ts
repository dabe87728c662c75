import { BadLine, parseLine } from './line.ts';
import { type Trace, TraceBuilder } from './trace.ts';

/** Longer than any event; what is longer is no trace, and must not fill the memory. Characters. */
const LONGEST_LINE = 65_536;

/**
 * Reads a trace as it comes, without ever holding its text. Lines without anything are none.
 *
 * @param told is told now and then how many lines have been read
 * @throws BadLine at the first line that is wrong, and where there is none at all
 */
export async function readTrace(chunks: AsyncIterable<Uint8Array>, told: (lines: number) => void = () => {}): Promise<Trace> {
  const builder = new TraceBuilder();
  const decoder = new TextDecoder();
  let number = 0;
  let rest = '';
  // Not only of what is still to end: whether a line will do must not hang on where chunks end.
  const bound = (line: string, at: number) => {
    if (line.length > LONGEST_LINE) throw new BadLine(`line ${at}: is longer than ${LONGEST_LINE} characters`);
  };
  const take = (line: string) => {
    number++;
    bound(line, number);
    if (line.trim() !== '') builder.add(parseLine(line, number));
  };
  for await (const chunk of chunks) {
    const text = rest + decoder.decode(chunk, { stream: true });
    let from = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      take(text.slice(from, end));
      from = end + 1;
    }
    rest = text.slice(from);
    bound(rest, number + 1);
    told(builder.lines);
  }
  take(rest + decoder.decode());
  if (builder.lines === 0) throw new BadLine('there is no line in it');
  return builder.build();
}
