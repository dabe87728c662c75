import { EXIT } from './exit.ts';

/** A SIGINT within this time after the first, in ms, is the same Ctrl-C again: npm passes it on to a process that already had it. */
const SAME_SIGNAL_MS = 1_000;

/**
 * Until disposed of, makes Ctrl-C only abort the signal, so that calls in flight can end and the command can report how far it
 * got. A second Ctrl-C ends the process.
 */
export function catchInterrupt(): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  let since = 0;
  const interrupted = () => {
    if (controller.signal.aborted && performance.now() - since > SAME_SIGNAL_MS) process.exit(EXIT.interrupted);
    if (!controller.signal.aborted) since = performance.now();
    controller.abort();
  };
  process.on('SIGINT', interrupted);
  return { signal: controller.signal, [Symbol.dispose]: () => void process.off('SIGINT', interrupted) };
}
