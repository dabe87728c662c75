import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import rateLimit from '@fastify/rate-limit';
import { PROBLEM_TYPE, type ProblemCode, problem } from '@sandman/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { type Account, cookieKey, identify } from './accounts.ts';
import { localPath, loginPage } from './login-page.ts';
import type { Identity, Role } from './wire.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The user who is logged in; null only on open routes. */
    identity: Identity | null;
  }
  interface FastifyContextConfig {
    /** Served without a login: the login page, its assets, and the health endpoints. */
    open?: boolean;
    /** A change that affects only the caller's own login, so viewers may make it. */
    own?: boolean;
  }
}

const COOKIE = 'sandman';
/** How long a login lasts, in s. */
const LOGIN_S = 12 * 3_600;
/** Login tries per address and process, and the window for them, in ms. */
const LOGIN_TRIES = 10;
const LOGIN_WINDOW_MS = 60_000;

/** The most characters of a user's name in a log line. */
const LOGGED_USER = 64;

const SAFE_METHODS = new Set(['GET', 'HEAD']);

export interface LoginOptions {
  readonly accounts: readonly Account[];
}

function sendRefusal(reply: FastifyReply, code: ProblemCode, detail: string): FastifyReply {
  const answer = problem(code, detail);
  return reply
    .code(answer.status)
    .type(PROBLEM_TYPE)
    .send(JSON.stringify({ ...answer, title: code === 'unauthorized' ? 'Not logged in' : answer.title }));
}

/**
 * Whether a page of another host caused the request. A client that is not a browser sends neither header and passes; it sends no
 * cookie by itself either.
 */
function isForeign({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  if (headers.origin === undefined) return false;
  return !URL.canParse(headers.origin) || new URL(headers.origin).host !== headers.host;
}

/** Shortens a user's name for a log line, and replaces characters that a terminal does not print. */
function loggable(user: string): string {
  return user.slice(0, LOGGED_USER).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
}

/** Requires a login for every route that is not open, and refuses changes by viewers. */
export const requireLogin = fp<LoginOptions>(
  async (app, { accounts }) => {
    await app.register(cookie, { secret: cookieKey(accounts) });
    await app.register(formbody);
    await app.register(rateLimit, { global: false });

    const remember = ({ user, role }: Account) => `${Date.now() + LOGIN_S * 1_000}.${role}.${user}`;
    const recall = (request: FastifyRequest): Identity | null => {
      const { valid, value } = request.unsignCookie(request.cookies[COOKIE] ?? '');
      const [, until, role, user] = /^(\d+)\.(operator|viewer)\.(.*)$/s.exec(valid ? value : '') ?? [];
      return Number(until) > Date.now() ? { user: user!, role: role as Role, until: Number(until) } : null;
    };

    app.decorateRequest('identity', null);
    app.addHook('onRequest', async (request, reply) => {
      const { open, own } = request.routeOptions.config;
      const changes = !SAFE_METHODS.has(request.method);
      if (changes && isForeign(request)) return sendRefusal(reply, 'forbidden', 'Another site’s pages may not do this');
      request.identity = recall(request);
      if (open) return;
      if (!request.identity) {
        const page = request.method === 'GET' && request.headers.accept?.includes('text/html');
        if (page) return reply.redirect(`/login?next=${encodeURIComponent(request.url)}`);
        return sendRefusal(reply, 'unauthorized', 'Log in at /login');
      }
      if (changes && !own && request.identity.role === 'viewer') return sendRefusal(reply, 'forbidden', 'A viewer can change nothing');
    });

    app.get<{ Querystring: { next?: unknown } }>('/login', { config: { open: true } }, (request, reply) => {
      if (request.identity) return reply.redirect(localPath(request.query.next));
      return reply.type('text/html').header('cache-control', 'no-store').send(loginPage(null));
    });

    app.post<{ Body: unknown; Querystring: { next?: unknown } }>(
      '/login',
      {
        config: {
          open: true,
          rateLimit: {
            max: LOGIN_TRIES,
            timeWindow: LOGIN_WINDOW_MS,
            errorResponseBuilder: () => Object.assign(new Error('too many tries'), { statusCode: 429 }),
          },
        },
        errorHandler: (error, _, reply) => {
          const tooMany = (error as { statusCode?: number }).statusCode === 429;
          const failure = tooMany ? 'Too many tries. Wait a minute.' : 'Give a user and a password.';
          return reply
            .code(tooMany ? 429 : 400)
            .type('text/html')
            .send(loginPage(failure));
        },
      },
      (request, reply) => {
        const { user, password } = (request.body ?? {}) as Record<string, unknown>;
        const name = String(user ?? '');
        const known = identify(accounts, name, String(password ?? ''));
        if (!known) {
          const address = request.ip;
          request.log.warn({ user: loggable(name), address }, 'login failed');
          // Logged once per window, because further tries do not get here.
          if (reply.getHeader('x-ratelimit-remaining') === 0) {
            request.log.warn({ address }, 'too many failed logins from this address: no more are accepted for up to a minute');
          }
          return reply.code(401).type('text/html').send(loginPage('Wrong user or password.'));
        }
        // Behind a proxy that terminates TLS, the cookie must be sent over TLS only. The header is trusted from any address, because a
        // client that forges it only loses its own cookie.
        const secure = request.protocol === 'https' || request.headers['x-forwarded-proto'] === 'https';
        return reply
          .setCookie(COOKIE, remember(known), { signed: true, httpOnly: true, sameSite: 'strict', path: '/', maxAge: LOGIN_S, secure })
          .redirect(localPath(request.query.next), 303);
      },
    );

    app.post('/logout', { config: { own: true } }, (_, reply) => reply.clearCookie(COOKIE, { path: '/' }).redirect('/login', 303));
  },
  { name: 'login' },
);
