/** As much of a page as is needed. */
interface Page {
  readonly navigator: { sendBeacon(url: string, data?: unknown): boolean };
  addEventListener(event: 'pagehide', listener: () => void): void;
  removeEventListener(event: 'pagehide', listener: () => void): void;
}

/**
 * Tells the chat service that the page is being left, in a request that outlives the page. For pages of the chat service
 * and its own routes: never for Sandman itself, whose key has no place in a browser.
 *
 * A page is also "left" into the browser's cache, from where its user may come back; and a browser that is killed tells
 * nothing. So let it put to sleep or shorten the wait rather than delete.
 *
 * @param url of the chat service
 * @param data goes as JSON; a function is asked at that moment
 * @returns what ends it
 */
export function onLeave(url: string, data: unknown = {}): () => void {
  const page = globalThis as unknown as Page;
  const leave = () => {
    const body = JSON.stringify(typeof data === 'function' ? data() : data);
    page.navigator.sendBeacon(url, new Blob([body], { type: 'application/json' }));
  };
  page.addEventListener('pagehide', leave);
  return () => page.removeEventListener('pagehide', leave);
}
