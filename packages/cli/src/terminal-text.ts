import stringWidth from 'string-width';

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/**
 * A user's id may hold any character. What a terminal would act on (escape sequences, line ends, a change of the
 * writing direction) is shown as `�` instead: a table must not be forged by what stands in it.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu, '\ufffd');
}

/** How many columns of a terminal it takes. */
export function widthOf(text: string): number {
  return stringWidth(text);
}

function firstColumns(graphemes: readonly string[], width: number): string[] {
  const taken: string[] = [];
  let left = width;
  for (const grapheme of graphemes) {
    left -= widthOf(grapheme);
    if (left < 0) break;
    taken.push(grapheme);
  }
  return taken;
}

/** Takes from the middle what is too long: ids often differ at one end only. */
export function shorten(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const graphemes = Array.from(GRAPHEMES.segment(text), ({ segment }) => segment);
  const head = firstColumns(graphemes, Math.ceil((width - 1) / 2));
  const tail = firstColumns(graphemes.toReversed(), Math.floor((width - 1) / 2));
  return `${head.join('')}…${tail.toReversed().join('')}`;
}
