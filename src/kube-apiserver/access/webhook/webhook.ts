// Another server decides: it answers SubjectAccessReviews.
// https://kubernetes.io/docs/reference/access-authn-authz/webhook/

import type { RemoteServer } from '../../../client/client.ts';
import type { Shape } from '../../../machinery/fields/configuration-shape.ts';
import type { Logger } from '../../../machinery/logger.ts';
import type { Clock } from '../../../machinery/time/clock.ts';
import { parseDuration } from '../../../machinery/time/duration.ts';
import type { Attributes, Authorizer, Decision } from '../authorization.ts';
import type { AuthorizationWebhookConfiguration } from '../authorization-configuration.ts';
import { RecentAnswers } from '../recent-answers.ts';
import { reviewRemotely } from '../remote.ts';
import { compileMatchCondition, matchesAll } from './match-conditions.ts';
import { type ReviewSpec, reviewSpec } from './review-spec.ts';

interface AuthorizationWebhookOptions {
  readonly name: string;
  readonly configuration: AuthorizationWebhookConfiguration;
  readonly server: RemoteServer;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface ReviewStatus {
  readonly allowed?: boolean;
  readonly denied?: boolean;
  readonly reason?: string;
}

const statusShape = { allowed: 'boolean', denied: 'boolean', reason: 'string' } as const satisfies Shape;

/** Maximum characters of a cached request's attributes. */
const longestCached = 10_000;

export function authorizationWebhook({
  name,
  configuration,
  server,
  clock,
  logger,
}: AuthorizationWebhookOptions): Authorizer {
  const { matchConditions = [], failurePolicy } = configuration;
  const programs = matchConditions.flatMap(({ expression }) => compileMatchCondition(expression, '').program ?? []);
  const answers = new RecentAnswers<ReviewStatus>(clock);
  const timeoutMs = parseDuration(configuration.timeout) ?? 0;
  const onFailure: Decision = { decision: failurePolicy === 'Deny' ? 'deny' : 'no-opinion' };
  return {
    name,
    async authorize(attributes) {
      const spec = await reviewSpec(attributes);
      try {
        if (!matchesAll(programs, spec)) return { decision: 'no-opinion' };
        const key = JSON.stringify(spec);
        const isCached = sizeOf(attributes) < longestCached;
        const status = await answers.get(key, async () => {
          const body = bodyOf(spec, configuration.subjectAccessReviewVersion);
          const call = { body, timeoutMs, shape: statusShape };
          const value = await reviewRemotely<ReviewStatus>(server, call, clock);
          return { value, ttlMs: isCached ? ttlOf(value, configuration) : 0 };
        });
        return decisionOf(status);
      } catch (error) {
        logger.warn('authorization webhook failed', { webhook: name, error: (error as Error).message });
        return onFailure;
      }
    },
  };
}

const sizeOf = ({ namespace, verb, group, version, resource, subresource, name, path }: Attributes): number =>
  [namespace, verb, group, version, resource, subresource, name, path].join('').length;

function ttlOf(status: ReviewStatus, configuration: AuthorizationWebhookConfiguration): number {
  const { authorizedTTL = '5m', unauthorizedTTL = '30s' } = configuration;
  const { cacheAuthorizedRequests = true, cacheUnauthorizedRequests = true } = configuration;
  if (!(status.allowed ? cacheAuthorizedRequests : cacheUnauthorizedRequests)) return 0;
  return parseDuration(status.allowed ? authorizedTTL : unauthorizedTTL) ?? 0;
}

/** The beta version has another name for the groups. */
function bodyOf({ groups, ...others }: ReviewSpec, version: string): object {
  const spec = version === 'v1' ? { ...others, groups } : { ...others, group: groups };
  return { apiVersion: `authorization.k8s.io/${version}`, kind: 'SubjectAccessReview', spec };
}

function decisionOf({ allowed, denied, reason }: ReviewStatus): Decision {
  const why = reason ? { reason } : {};
  if (denied) return { decision: 'deny', ...why };
  return { decision: allowed ? 'allow' : 'no-opinion', ...why };
}
