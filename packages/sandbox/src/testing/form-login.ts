/**
 * Logs in with the form at `/login`.
 *
 * @returns the status and body of the answer, and its cookie, if any, as a request header
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
