// Authentication. Authenticators are tried in order; the first that recognizes the credentials decides.

import { isUtf8 } from 'node:buffer';
import { unauthorized } from '../../api/api.ts';
import type { AuditTrail } from '../audit/trail.ts';
import type { Environment } from '../environment.ts';
import { accessMetrics } from '../metrics/access-metrics.ts';
import type { Connection, Headers } from '../request/connection.ts';
import type { UserInfo } from '../request/user.ts';

/** The parts of a request that may identify its sender. */
export interface Credentials extends Headers, TokenUse {
  readonly server: Pick<Environment, 'clock' | 'config' | 'metrics'>;
  readonly connection?: Connection;
  readonly path: string;
}

/** The request that a token came with: readers of tokens add to its answer and to its audit record. */
export interface TokenUse {
  readonly warnings: string[];
  readonly audit?: Pick<AuditTrail, 'annotate'>;
}

export interface Authenticator {
  readonly name: string;
  /**
   * The user, or undefined when the request has no credentials of this kind. Credentials of this kind that are wrong
   * throw `unauthorized()`.
   */
  authenticate(credentials: Credentials): Promise<UserInfo | undefined>;
  /** The user of a bearer token valid for one of `audiences`; a TokenReview calls readers with this method. */
  authenticateToken?(token: string, audiences: readonly string[], use?: TokenUse): Promise<UserInfo | undefined>;
}

/** An authenticator of bearer tokens. `check` resolves with undefined for tokens of another kind. */
export const tokenAuthenticator = (
  name: string,
  check: (token: string, audiences: readonly string[], use?: TokenUse) => Promise<UserInfo | undefined>,
): Authenticator => ({
  name,
  async authenticate(credentials) {
    const token = bearerToken(credentials);
    return token === undefined ? undefined : check(token, [], credentials);
  },
  authenticateToken: check,
});

/** A 401 with a reason for TokenReview; clients only see Unauthorized. */
export const refusedToken = (why: string) => Object.assign(unauthorized(), { why });

/** In characters. A request's headers may be a megabyte, and each reader of tokens decodes the token. */
const longestToken = 65_536;

/** Tries all readers of bearer tokens in order. If none accepts a token, the error has all their reasons. */
export const bearerTokens = (readers: readonly Authenticator[]): Authenticator =>
  tokenAuthenticator('bearer-token', async (token, audiences, use) => {
    if (token.length > longestToken) throw refusedToken(`the token is longer than ${longestToken} characters`);
    const reasons: string[] = [];
    for (const reader of readers)
      try {
        const user = await reader.authenticateToken?.(token, audiences, use);
        if (user) return user;
      } catch (error) {
        reasons.push((error as { why?: string }).why ?? String(error));
      }
    if (reasons.length > 0) throw refusedToken(reasons.join(', '));
    return undefined;
  });

/** https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates */
export const clientCertificates: Authenticator = {
  name: 'x509',
  async authenticate(request) {
    const certificate = request.connection?.certificate;
    if (!certificate?.commonName) return undefined;
    observeLifetime(request);
    if (hasEnded(request)) return undefined;
    return {
      name: certificate.commonName,
      groups: [...certificate.organizations, 'system:authenticated'],
      ...(certificate.uid && { uid: certificate.uid }),
      extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${certificate.fingerprint}`] },
    };
  },
};

function observeLifetime({ connection, server }: Credentials): void {
  const { notAfterMs } = connection?.certificate ?? {};
  if (notAfterMs === undefined) return;
  accessMetrics(server.metrics).certificateLifetime.observe((notAfterMs - server.clock.now()) / 1_000);
}

/** Checked for each request: the certificate may have expired since the connection was made. */
const hasEnded = ({ connection, server }: Credentials): boolean =>
  (connection?.certificate?.notAfterMs ?? Number.POSITIVE_INFINITY) <= server.clock.now();

/**
 * Requests without credentials for any authenticator, at the given or all paths. An invalid token or certificate is
 * rejected, and never anonymous.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#anonymous-authenticator-configuration
 */
export const anonymousAt = (paths?: readonly string[]): Authenticator => ({
  name: 'anonymous',
  async authenticate(request) {
    if (bearerToken(request) !== undefined || request.connection?.certificateFault || hasEnded(request))
      throw unauthorized();
    if (paths && !paths.includes(request.path)) return undefined;
    if (/^bearer {2,}\S/i.test(request.headers.authorization?.trim() ?? ''))
      request.warnings.push(
        'the provided Authorization header contains extra space before the bearer token, and is ignored',
      );
    return { name: 'system:anonymous', groups: ['system:unauthenticated'] };
  },
});

export const anonymous: Authenticator = anonymousAt();

const tokenProtocol = 'base64url.bearer.authorization.k8s.io.';

/**
 * The token of the Authorization header, or of a WebSocket protocol, because browsers cannot set headers of WebSockets.
 */
export function bearerToken({ headers }: Pick<Credentials, 'headers'>): string | undefined {
  const [scheme, token] = (headers.authorization ?? '').trim().split(' ', 2);
  if (token && scheme.toLowerCase() === 'bearer') return token;
  if (headers.upgrade?.toLowerCase() !== 'websocket') return undefined;
  const { tokens, others } = protocolsOf(headers['sec-websocket-protocol'] ?? '');
  const [encoded] = tokens;
  if (!encoded) return undefined;
  // The server answers with one of the others.
  if (tokens.length > 1 || !others.length || !/^[A-Za-z0-9_-]+$/.test(encoded)) throw unauthorized();
  const bytes = Buffer.from(encoded, 'base64url');
  if (!isUtf8(bytes)) throw unauthorized();
  return bytes.toString();
}

function protocolsOf(header: string): { tokens: string[]; others: string[] } {
  const [tokens, others]: [string[], string[]] = [[], []];
  for (const protocol of header.split(',').map((text) => text.trim()))
    if (protocol.startsWith(tokenProtocol)) tokens.push(protocol.slice(tokenProtocol.length));
    else if (protocol) others.push(protocol);
  return { tokens, others };
}

/** WebSocket protocols without tokens, for the upstream. */
export const withoutTokens = (header: string): string => protocolsOf(header).others.join(', ');
