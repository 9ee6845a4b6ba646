// The room's front door: the web console, below one path of the API server's port. The page (web/) talks to the API as
// the user of its session, below PREFIX/api/.

import type { Client } from '../client/client.ts';
import type { Page, PageRequest } from '../machinery/pages.ts';
import { isFields } from '../machinery/parsed.ts';
import type { Clock } from '../machinery/time/clock.ts';
import { Assets } from './assets.ts';
import { contentSecurityPolicy, cookieOf, failure, isFromConsole, json, page, setCookie } from './http.ts';
import { type Insights, insight } from './insights.ts';
import { answerLab, type LabControl } from './lab.ts';
import { Previews } from './previews.ts';
import { answerSandbox, type SandboxControl } from './sandbox.ts';
import { newSecret } from './secrets.ts';
import { type Identity, type OpenedSession, type Session, Sessions, type User } from './sessions.ts';

export type { Insights } from './insights.ts';
export type { LabControl, LabNode } from './lab.ts';
export type { OpenedSandbox, SandboxControl } from './sandbox.ts';

interface DashboardOptions {
  readonly clock: Clock;
  /** Directory of the built files. */
  readonly assets: string;
  /** Shown to signed-in users. */
  readonly cluster: {
    readonly name: string;
    readonly version: string;
    readonly kubernetesVersion: string;
    /** False: another Kubernetes, without insights. */
    readonly isCoracle: boolean;
  };
  /** Rejects when the token is wrong. */
  userOfToken(token: string): Promise<User>;
  /** A client with the rights of the user. */
  clientFor(user: User): Client;
  /** Answers that the API does not have; undefined: the cluster has none. */
  readonly insights?: Insights;
  /** Of a simulated cluster. */
  readonly lab?: LabControl;
  /** Of a cluster with real nodes. */
  readonly sandbox?: SandboxControl;
}

/** A request that continues in the API at `path`. */
export interface Forward {
  readonly type: 'forward';
  readonly path: string;
  readonly as: Identity;
  readonly protocols?: string;
  readonly ends: AbortSignal;
  /** The page of a pod: its links lead below this path, and it is shown in a sandbox. */
  readonly preview?: string;
}

export interface Dashboard {
  readonly prefix: string;
  answer(request: PageRequest): Promise<Page | Forward>;
  /** The path of a link that signs the user in, once. */
  createLink(user: User): { readonly path: string; readonly expiresMs: number };
  /** Ends all sessions, and refuses requests. */
  stop(): void;
}

const prefix = '/console';
const keyHeader = 'x-coracle-key';
/** Browsers cannot set headers of WebSockets: the key is one of the offered protocols. */
const keyProtocol = 'key.console.coracle.';
const mostBodyBytes = 128 << 10;

export function createDashboard(options: DashboardOptions): Dashboard {
  const sessions = new Sessions(options.clock);
  let isStopping = false;
  const assets = new Assets(options.assets);
  const previews = new Previews(options.clock, prefix);
  const context: Context = { ...options, sessions, previews, files: assets };
  return {
    prefix,
    // A browser that is refused as unknown would sign out, and not come back to the next server.
    answer: async (request) => (isStopping ? stopping : answer(context, request)),
    createLink(user) {
      const { code, expiresMs } = sessions.createLink(user);
      // Behind the #, so that it is in no log and no proxy sees it.
      return { path: `${prefix}/#code=${code}`, expiresMs };
    },
    stop() {
      isStopping = true;
      sessions.closeAll();
    },
  };
}

interface Context extends DashboardOptions {
  readonly sessions: Sessions;
  readonly previews: Previews;
  readonly files: Assets;
}

async function answer(context: Context, request: PageRequest): Promise<Page | Forward> {
  const { method, headers } = request;
  const path = request.path.slice(prefix.length);
  if (path === '') return page(308, 'text/plain', '', { Location: `${prefix}/` });
  if (path.startsWith('/api/')) return forward(context, request, path.slice('/api'.length));
  if (path === '/session') return answerSession(context, request);
  if (path === '/insights/lab') return openLab(context, request);
  if (path === '/insights/sandbox') return openSandbox(context, request);
  if (path === '/previews' && method === 'POST') return openPreview(context, request);
  if (path.startsWith('/preview/')) return preview(context, request, path.slice('/preview/'.length));
  if (path.startsWith('/insights/')) {
    const session = sessionOf(context, request);
    if (!session) return signIn;
    const { insights, clientFor } = context;
    if (!insights) return failure(404, 'NotFound', 'only a Coracle cluster knows this');
    return insight({ insights, clientFor }, await userOf(context, session), path, request.query);
  }
  if (method !== 'GET' && method !== 'HEAD') return failure(405, 'MethodNotAllowed', `${method} is not allowed here`);
  if (path.startsWith('/assets/')) return assetPage(context, path.slice('/assets/'.length), headers);
  return indexPage(context);
}

const stopping = failure(503, 'ServiceUnavailable', 'the server is stopping');
const signIn = failure(401, 'Unauthorized', 'sign in to the console');

const userOf = async ({ userOfToken }: Context, { identity }: Session): Promise<User> =>
  'user' in identity ? identity.user : userOfToken(identity.token);

function forward(context: Context, request: PageRequest, path: string): Page | Forward {
  const session = sessionOf(context, request);
  if (!session) return signIn;
  const protocols = protocolsOf(request).filter((protocol) => !protocol.startsWith(keyProtocol));
  const { identity, ended } = session;
  return {
    ...{ type: 'forward', path, as: identity, ends: ended },
    ...(protocols.length > 0 && { protocols: protocols.join(', ') }),
  };
}

async function openLab(context: Context, request: PageRequest): Promise<Page> {
  const session = sessionOf(context, request);
  if (!session) return signIn;
  if (!context.lab) return failure(404, 'NotFound', 'only a cluster with simulated nodes has a lab');
  const client = context.clientFor(await userOf(context, session));
  if (request.method === 'GET') return answerLab(context.lab, client);
  const change = request.method === 'POST' ? await bodyOf(request) : undefined;
  return change ? answerLab(context.lab, client, change) : failure(400, 'BadRequest', 'a change is an object in JSON');
}

async function openSandbox(context: Context, request: PageRequest): Promise<Page> {
  const session = sessionOf(context, request);
  if (!session) return signIn;
  const { sandbox, clientFor } = context;
  if (!sandbox) return failure(404, 'NotFound', 'this cluster has no sandbox');
  return answerSandbox(sandbox, clientFor(await userOf(context, session)), request.method);
}

async function openPreview(context: Context, request: PageRequest): Promise<Page> {
  const session = sessionOf(context, request);
  return session ? context.previews.open(session, await bodyOf(request)) : signIn;
}

function preview({ previews }: Context, request: PageRequest, rest: string): Page | Forward {
  const { method, headers } = request;
  const found = previews.find(rest, method, headers['access-control-request-method'] !== undefined);
  if ('type' in found) return found;
  const { path, session, place } = found;
  const protocols = headers['sec-websocket-protocol'];
  return {
    ...{ type: 'forward', path, as: session.identity, ends: session.ended, preview: place },
    ...(protocols && { protocols }),
  };
}

const protocolsOf = ({ headers }: PageRequest): string[] =>
  (headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol !== '');

/** The session of a request that a page of the console sent. */
function sessionOf({ sessions }: Context, request: PageRequest): Session | undefined {
  if (!isFromConsole(request)) return undefined;
  const { headers, isUpgrade } = request;
  const key = isUpgrade
    ? protocolsOf(request)
        .find((protocol) => protocol.startsWith(keyProtocol))
        ?.slice(keyProtocol.length)
    : headers[keyHeader];
  return sessions.find(cookieOf(headers), key);
}

async function answerSession(context: Context, request: PageRequest): Promise<Page> {
  const { sessions } = context;
  const { method, headers } = request;
  if (method === 'POST') return openSession(context, request);
  const session = sessionOf(context, request);
  if (!session) return signIn;
  if (method === 'DELETE') {
    sessions.close(cookieOf(headers) ?? '');
    return json(200, {}, { 'Set-Cookie': setCookie(headers, '', prefix, 0) });
  }
  return json(200, shown(context, session));
}

const shown = ({ cluster, lab, sandbox }: Context, { userName, expiresMs }: Session): object => ({
  user: userName,
  expires: expiresMs,
  cluster: { ...cluster, hasLab: lab !== undefined, hasSandbox: sandbox !== undefined },
});

/** Another site cannot send JSON without asking first, and gets no answer then. */
async function openSession(context: Context, request: PageRequest): Promise<Page> {
  const { headers } = request;
  if (!isFromConsole(request) || !/^application\/json\b/.test(headers['content-type'] ?? ''))
    return failure(403, 'Forbidden', 'only the page of the console can sign in');
  const credentials = await bodyOf(request);
  const opened = credentials && (await openedBy(context, credentials));
  if (!opened) return failure(401, 'Unauthorized', 'the link or token is wrong, too old, or was used before');
  const { session, cookie, key } = opened;
  const seconds = Math.floor((session.expiresMs - context.clock.now()) / 1000);
  return json(201, { ...shown(context, session), key }, { 'Set-Cookie': setCookie(headers, cookie, prefix, seconds) });
}

async function openedBy(
  { sessions, userOfToken }: Context,
  { code, token }: { code?: unknown; token?: unknown },
): Promise<OpenedSession | undefined> {
  if (typeof code === 'string') return sessions.redeem(code);
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) return undefined;
  try {
    return sessions.open({ token }, (await userOfToken(token)).name);
  } catch {
    return undefined;
  }
}

/** The JSON object of a request; undefined if it has another form, or is too large. */
async function bodyOf(request: PageRequest): Promise<Readonly<Record<string, unknown>> | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > mostBodyBytes) return undefined;
  const bytes = await request.body();
  if (bytes.length > mostBodyBytes) return undefined;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString());
    return isFields(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** Names contain a hash of the content. */
const forever = 'public, max-age=31536000, immutable';

async function assetPage({ files }: Context, name: string, headers: PageRequest['headers']): Promise<Page> {
  const asset = await files.get(name, headers['accept-encoding'] ?? '');
  if (!asset) return failure(404, 'NotFound', 'the console has no such file');
  return page(200, asset.contentType, asset.body, {
    'Cache-Control': forever,
    Vary: 'Accept-Encoding',
    ...(asset.encoding && { 'Content-Encoding': asset.encoding }),
  });
}

async function indexPage({ files }: Context): Promise<Page> {
  const { script, preload, style, icon, worker } = await files.manifest();
  const nonce = newSecret();
  const at = (name: string) => `${prefix}/assets/${name}`;
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Coracle</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="coracle" data-nonce="${nonce}" data-worker="${at(worker)}">
<link rel="icon" href="${at(icon)}">
<link rel="stylesheet" href="${at(style)}">
${preload.map((name) => `<link rel="modulepreload" href="${at(name)}">`).join('\n')}
<script type="module" src="${at(script)}"></script>
</head>
<body><div id="app"></div><noscript>The console needs JavaScript.</noscript></body>
</html>
`;
  return page(200, 'text/html; charset=utf-8', html, { 'Content-Security-Policy': contentSecurityPolicy(nonce) });
}
