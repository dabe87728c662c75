/** Returns the path to redirect to after a login; `/` for anything that could lead to another host. */
export function localPath(given: unknown): string {
  return typeof given === 'string' && /^\/(?![/\\])[\x21-\x7e]*$/.test(given) && !given.includes('\\') ? given : '/';
}

/** Returns the page with the login form. It works without JavaScript. */
export function loginPage(failure: string | null): string {
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Sandman: log in</title>
  <link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/assets/style.css">
</head>
<body class="login">
  <main>
    <h1>Sandman</h1>
    <form method="post">
      ${failure === null ? '' : `<p class="trouble bad" role="alert">${failure}</p>`}
      <label>User <input name="user" autocomplete="username" required autofocus></label>
      <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
      <button class="primary">Log in</button>
    </form>
  </main>
</body>
</html>
`;
}
