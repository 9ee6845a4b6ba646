// Who asks. Authenticators are tried in order; the first that knows the request's credentials decides.

import { unauthorized } from '../api/api.ts';
import type { ApiRequest, Stage, UserInfo } from './request.ts';

export interface Authenticator {
  readonly name: string;
  /**
   * The user, or undefined when the request has no credentials of this kind. Credentials of this kind that are wrong
   * throw `unauthorized()`.
   */
  authenticate(request: ApiRequest, audiences?: readonly string[]): Promise<UserInfo | undefined>;
  /** True when a TokenReview asks this one too. It then checks for `audiences` instead of the server's own. */
  readonly reviewsTokens?: boolean;
}

/** https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates */
export const clientCertificates: Authenticator = {
  name: 'x509',
  async authenticate({ connection }) {
    const certificate = connection?.certificate;
    if (!certificate) return undefined;
    return {
      name: certificate.commonName,
      groups: [...certificate.organizations, 'system:authenticated'],
      ...(certificate.uid && { uid: certificate.uid }),
      extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${certificate.fingerprint}`] },
    };
  },
};

/** Whoever shows no credentials that anyone here reads. A wrong token or certificate is refused, never anonymous. */
export const anonymous: Authenticator = {
  name: 'anonymous',
  async authenticate({ headers, connection }) {
    if (/^bearer\b/i.test(headers.authorization ?? '') || connection?.certificateFault) throw unauthorized();
    return { name: 'system:anonymous', groups: ['system:unauthenticated'] };
  },
};

/** A request from inside the process comes with its user. */
export const identify: Stage = async (request, next) => {
  if (!request.connection) return next();
  for (const authenticator of request.server.authenticators) {
    const user = await authenticator.authenticate(request);
    if (!user) continue;
    request.user = user;
    return next();
  }
  throw unauthorized();
};
