import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

/** The process, as far as a command sees it. */
export type Surroundings = Pick<NodeJS.Process, 'env' | 'stdin' | 'stdout' | 'stderr'>;

/** Results go to stdout, for people or as JSON; what is said beside them goes to stderr, so that pipes carry results alone. */
export class Output {
  /** Whether results are JSON. */
  readonly json: boolean;
  /** Whether a reader is still there: `| head` leaves early. Node says so by an error alone, and goes on calling stdout writable. */
  open = true;
  readonly #streams: Surroundings;
  readonly #color: boolean;

  constructor(streams: Surroundings, { json, color }: { readonly json: boolean; readonly color: boolean }) {
    this.#streams = streams;
    this.json = json;
    this.#color = color;
    streams.stdout.once('error', () => {
      this.open = false;
    });
  }

  /** Columns of the terminal; without bound where it is none. */
  get width(): number {
    const { isTTY, columns } = this.#streams.stdout;
    return isTTY && columns > 0 ? columns : Number.POSITIVE_INFINITY;
  }

  line(text: string): void {
    this.#streams.stdout.write(`${text}\n`);
  }

  /** One JSON document on a line of its own. C1 controls are escaped too: JSON allows them raw, and terminals act on them. */
  document(value: unknown): void {
    this.line(JSON.stringify(value).replace(/[\x7f-\x9f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`));
  }

  /** To stderr. */
  note(text: string): void {
    this.#streams.stderr.write(`${text}\n`);
  }

  /** Colours what goes to stdout, where that is a terminal and nobody said no (`--no-color`, `NO_COLOR`). */
  paint(style: Style, text: string): string {
    return this.#color ? styleText(style, text, { stream: this.#streams.stdout }) : text;
  }
}
