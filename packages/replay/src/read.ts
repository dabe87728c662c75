import { BadLine, parseLine } from './line.ts';
import { type Trace, TraceBuilder } from './trace.ts';

/** The longest line that is read, in characters. It is longer than any event; a file without line ends must not fill the memory. */
const LONGEST_LINE = 65_536;

/**
 * Reads a trace chunk by chunk, without holding all of its text in memory. Skips empty lines.
 *
 * @param told called after each chunk with how many events have been read
 * @throws BadLine at the first wrong line, and if there is no line at all
 */
export async function readTrace(chunks: AsyncIterable<Uint8Array>, told: (lines: number) => void = () => {}): Promise<Trace> {
  const builder = new TraceBuilder();
  const decoder = new TextDecoder();
  let number = 0;
  let rest = '';
  // Complete lines are checked as well, so that the result does not depend on where chunks end.
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
