// Bearer tokens that another server authenticates through TokenReviews.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#webhook-token-authentication

import type { RemoteServer } from '../../client/client.ts';
import type { Shape } from '../../machinery/fields/configuration-shape.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { UserInfo } from '../request/user.ts';
import { type Authenticator, refusedToken, tokenAuthenticator } from './authentication.ts';
import { RecentAnswers } from './recent-answers.ts';
import { reviewRemotely } from './remote.ts';

export interface TokenWebhookOptions {
  readonly server: RemoteServer;
  /** Of the TokenReviews. Default v1. */
  readonly version?: string;
  /** How long an answer counts. Default 2 minutes, as --authentication-token-webhook-cache-ttl. */
  readonly cacheTtlMs?: number;
  readonly clock: Clock;
}

const timeoutMs = 30_000;

interface TokenReviewStatus {
  readonly authenticated?: boolean;
  readonly user?: { username?: string; uid?: string; groups?: string[]; extra?: Record<string, string[]> };
  readonly audiences?: readonly string[];
  readonly error?: string;
}

const statusShape = {
  authenticated: 'boolean',
  user: { username: 'string', uid: 'string', groups: 'list of strings', extra: 'map of lists of strings' },
  audiences: 'list of strings',
  error: 'string',
} as const satisfies Shape;

export function tokenWebhook({
  server,
  version = 'v1',
  cacheTtlMs = 120_000,
  clock,
}: TokenWebhookOptions): Authenticator {
  const answers = new RecentAnswers<UserInfo | undefined>(clock);
  return tokenAuthenticator('webhook', async (token, audiences) => {
    return answers.get(JSON.stringify([token, audiences]), async () => {
      const spec = { token, audiences };
      const body = { apiVersion: `authentication.k8s.io/${version}`, kind: 'TokenReview', spec };
      const call = { body, timeoutMs, shape: statusShape };
      const status = await reviewRemotely<TokenReviewStatus>(server, call, clock).catch((error: Error) => {
        throw refusedToken(`webhook: ${error.message}`);
      });
      return { value: userOf(status, audiences), ttlMs: cacheTtlMs };
    });
  });
}

function userOf(
  { authenticated, user, audiences, error }: TokenReviewStatus,
  wanted: readonly string[],
): UserInfo | undefined {
  if (!authenticated) {
    if (error) throw refusedToken(`the webhook says ${JSON.stringify(error)}`);
    return undefined;
  }
  // A server that returns no audiences has not checked them.
  if (wanted.length > 0 && audiences && !audiences.some((audience) => wanted.includes(audience))) return undefined;
  if (!user?.username) throw refusedToken('the webhook named no user');
  return {
    name: user.username,
    ...(user.uid && { uid: user.uid }),
    groups: [...new Set([...(user.groups ?? []), 'system:authenticated'])],
    ...(user.extra && { extra: user.extra }),
  };
}
