import { EXIT } from './exit.ts';

/** A Ctrl-C this long after the first is a person's second, not the same one by another way (npm passes it on); ms. */
const SAME_SIGNAL_MS = 1_000;

/** From now on, until disposed of, Ctrl-C only aborts the signal: what runs may end, and say how far it got. A second one ends the process. */
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
