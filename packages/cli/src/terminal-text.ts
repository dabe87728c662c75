import stringWidth from 'string-width';

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/**
 * Replaces characters that a terminal acts on (escape sequences, line ends, changes of the writing direction) by `�`. A user's
 * id may hold any character, and must not be able to forge a table.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu, '\ufffd');
}

/** Returns how many columns of a terminal the text takes. */
export function columnsTaken(text: string): number {
  return stringWidth(text);
}

function firstColumns(graphemes: readonly string[], width: number): string[] {
  const taken: string[] = [];
  let left = width;
  for (const grapheme of graphemes) {
    left -= columnsTaken(grapheme);
    if (left < 0) break;
    taken.push(grapheme);
  }
  return taken;
}

/** Shortens a text to a width by cutting out its middle, because ids often differ only at one end. */
export function shorten(text: string, width: number): string {
  if (columnsTaken(text) <= width) return text;
  const graphemes = Array.from(GRAPHEMES.segment(text), ({ segment }) => segment);
  const head = firstColumns(graphemes, Math.ceil((width - 1) / 2));
  const tail = firstColumns(graphemes.toReversed(), Math.floor((width - 1) / 2));
  return `${head.join('')}…${tail.toReversed().join('')}`;
}
