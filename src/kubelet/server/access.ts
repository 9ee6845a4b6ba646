// Authenticates and authorizes clients of the kubelet's API: client certificates of the cluster and service account
// tokens, checked by the API server. https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/

import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { SubjectAccessReview, TokenReview } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { must } from '../../machinery/must.ts';
import type { Clock } from '../../machinery/time/clock.ts';

// KubeletConfiguration: authorization.webhook.cacheAuthorizedTTL and cacheUnauthorizedTTL, authentication.webhook.cacheTTL.
const allowedMs = 5 * 60_000;
const refusedMs = 30_000;
const tokenMs = 2 * 60_000;
const mostRemembered = 1_000;

interface User {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
}

/** A request that is not let in. `code` is 401 or 403. */
export class AccessError extends Error {
  override readonly name = 'AccessError';
  readonly code: 401 | 403;
  constructor(code: 401 | 403, message: string) {
    super(message);
    this.code = code;
  }
}

/** Subresources of nodes, of which one is enough; nodes/proxy guards all other paths (KEP-2862). */
const guards: Readonly<Record<string, readonly string[]>> = {
  stats: ['stats'],
  metrics: ['metrics'],
  logs: ['log'],
  checkpoint: ['checkpoint'],
  statusz: ['statusz'],
  flagz: ['configz'],
  configz: ['configz', 'proxy'],
  healthz: ['healthz', 'proxy'],
  pods: ['pods', 'proxy'],
  runningpods: ['pods', 'proxy'],
};
const verbs: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

export class KubeletAccess {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #nodeName: string;
  readonly #decisions = new Map<string, { allowed: boolean; untilMs: number }>();
  readonly #tokens = new Map<string, { user: User; untilMs: number }>();

  constructor(client: Client, clock: Clock, nodeName: string) {
    this.#client = client;
    this.#clock = clock;
    this.#nodeName = nodeName;
  }

  /** Throws AccessError unless the client may do the request. `path` is its first element. */
  async check(request: IncomingMessage, path: string): Promise<void> {
    const user = certificateUser(request) ?? (await this.#tokenUser(request));
    if (!user) throw new AccessError(401, 'Unauthorized');
    const verb = verbs[request.method ?? 'GET'] ?? 'get';
    const subresources = guards[path] ?? ['proxy'];
    for (const subresource of subresources) if (await this.#mayDo(user, verb, subresource)) return;
    throw new AccessError(
      403,
      `Forbidden (user=${user.name}, verb=${verb}, resource=nodes, subresource(s)=[${subresources.join(' ')}])`,
    );
  }

  async #tokenUser(request: IncomingMessage): Promise<User | undefined> {
    const token = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (!token) return undefined;
    const now = this.#clock.now();
    const cached = this.#tokens.get(token);
    if (cached && cached.untilMs > now) return cached.user;
    const { status } = (await this.#client.create('tokenreviews', { metadata: {}, spec: { token } })) as TokenReview;
    if (!status?.authenticated) return undefined;
    const { username = '', groups = [], uid } = status.user ?? {};
    const user = { name: username, groups, ...(uid && { uid }) };
    remember(this.#tokens, token, { user, untilMs: now + tokenMs });
    return user;
  }

  async #mayDo(user: User, verb: string, subresource: string): Promise<boolean> {
    const now = this.#clock.now();
    const key = [user.name, ...user.groups, verb, subresource].join('\0');
    const cached = this.#decisions.get(key);
    if (cached && cached.untilMs > now) return cached.allowed;
    const resourceAttributes = { verb, version: 'v1', resource: 'nodes', subresource, name: this.#nodeName };
    const spec = { user: user.name, groups: [...user.groups], ...(user.uid && { uid: user.uid }), resourceAttributes };
    const { status } = (await this.#client.create('subjectaccessreviews', {
      metadata: {},
      spec,
    })) as SubjectAccessReview;
    const allowed = status?.allowed ?? false;
    remember(this.#decisions, key, { allowed, untilMs: now + (allowed ? allowedMs : refusedMs) });
    return allowed;
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  if (map.size >= mostRemembered) map.delete(must(map.keys().next().value, 'key'));
  map.set(key, value);
}

/** CN is the user, O the groups; undefined without a certificate, or with one that is not the cluster's. */
function certificateUser({ socket }: IncomingMessage): User | undefined {
  const { authorized, getPeerCertificate } = socket as TLSSocket;
  if (!authorized || !getPeerCertificate) return undefined;
  const { subject } = (socket as TLSSocket).getPeerCertificate();
  // Of several names the last one counts, as for the API server: signers judge a request by that one.
  const name = ([] as string[]).concat(subject?.CN ?? []).at(-1);
  if (name === undefined) return undefined;
  return { name, groups: [...([] as string[]).concat(subject.O ?? []), 'system:authenticated'] };
}
