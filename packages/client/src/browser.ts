/** The parts of a page that {@link onLeave} uses. */
interface BrowserPage {
  readonly navigator: { sendBeacon(url: string, data?: unknown): boolean };
  addEventListener(event: 'pagehide', listener: () => void): void;
  removeEventListener(event: 'pagehide', listener: () => void): void;
}

/**
 * Tells the chat service that the user leaves the page, in a request that outlives the page. Use it with a route of the chat
 * service, never with Sandman itself: Sandman's key must not be in a browser.
 *
 * `pagehide` also fires when the browser moves the page to its back/forward cache, from which the user may return. A browser
 * that is killed sends nothing. So let the route put the session to sleep or shorten its wait, but not delete it.
 *
 * @param url of the chat service
 * @param data sent as JSON; a function is called when the page is left
 * @returns a function that stops this
 */
export function onLeave(url: string, data: unknown = {}): () => void {
  const page = globalThis as unknown as BrowserPage;
  const leave = () => {
    const body = JSON.stringify(typeof data === 'function' ? data() : data);
    page.navigator.sendBeacon(url, new Blob([body], { type: 'application/json' }));
  };
  page.addEventListener('pagehide', leave);
  return () => page.removeEventListener('pagehide', leave);
}
