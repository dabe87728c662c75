/**
 * Logs in by the form at `/login`.
 *
 * @returns the answer's status, and the cookie as a header where it gave one
 */
export async function formLogin(
  base: string,
  user: string,
  password: string,
): Promise<{ readonly status: number; readonly body: string; readonly headers: { readonly cookie?: string } }> {
  const answer = await fetch(`${base}/login`, { method: 'POST', redirect: 'manual', body: new URLSearchParams({ user, password }) });
  const cookie = answer.headers.get('set-cookie')?.split(';')[0];
  return { status: answer.status, body: await answer.text(), headers: cookie === undefined ? {} : { cookie } };
}
