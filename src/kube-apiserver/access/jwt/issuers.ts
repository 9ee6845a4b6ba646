// Trusted issuers, which may be replaced while the server runs.

import type { Clock } from '../../../machinery/time/clock.ts';
import { type Authenticator, bearerTokens, tokenAuthenticator } from '../authentication.ts';
import { jwtAuthenticator } from './jwt.ts';
import type { JwtIssuer } from './types.ts';

interface IssuerTokens {
  readonly authenticator: Authenticator;
  /** Rejects, and keeps the previous issuers, while the keys of one issuer cannot be read. */
  replace(entries: readonly JwtIssuer[]): Promise<void>;
}

export function issuerTokens(entries: readonly JwtIssuer[], clock: Clock): IssuerTokens {
  const readersOf = (issuers: readonly JwtIssuer[]) => issuers.map((entry) => jwtAuthenticator(entry, clock));
  let current = bearerTokens(readersOf(entries));
  return {
    authenticator: tokenAuthenticator('jwt', async (token, audiences) => current.authenticateToken?.(token, audiences)),
    async replace(next) {
      const readers = readersOf(next);
      await Promise.all(readers.map((reader) => reader.ready()));
      current = bearerTokens(readers);
    },
  };
}
