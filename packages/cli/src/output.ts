import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

/** The process's standard streams and environment. */
export type ProcessIo = Pick<NodeJS.Process, 'env' | 'stdin' | 'stdout' | 'stderr'>;

/** Writes results to stdout, as text or JSON, and all other messages to stderr, so that pipes carry only results. */
export class Output {
  /** Whether results are JSON. */
  readonly json: boolean;
  /** False once the reader of stdout has left, as `head` does. Only an error event tells that; `stdout.writable` stays true. */
  open = true;
  readonly #streams: ProcessIo;
  readonly #color: boolean;

  constructor(streams: ProcessIo, { json, color }: { readonly json: boolean; readonly color: boolean }) {
    this.#streams = streams;
    this.json = json;
    this.#color = color;
    streams.stdout.once('error', () => {
      this.open = false;
    });
  }

  /** Width of the terminal in columns; infinite if stdout is not a terminal. */
  get width(): number {
    const { isTTY, columns } = this.#streams.stdout;
    return isTTY && columns > 0 ? columns : Number.POSITIVE_INFINITY;
  }

  line(text: string): void {
    this.#streams.stdout.write(`${text}\n`);
  }

  /** Writes a JSON document on one line. Escapes C1 controls, too: JSON allows them raw, but terminals act on them. */
  document(value: unknown): void {
    this.line(JSON.stringify(value).replace(/[\x7f-\x9f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`));
  }

  /** Writes a line to stderr. */
  note(text: string): void {
    this.#streams.stderr.write(`${text}\n`);
  }

  /** Colours text for stdout if it is a terminal, unless `--no-color` or `NO_COLOR` is set. */
  paint(style: Style, text: string): string {
    return this.#color ? styleText(style, text, { stream: this.#streams.stdout }) : text;
  }
}
