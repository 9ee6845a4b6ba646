// Who may do what. Authorizers are asked in order; the first that allows or denies decides, and silence denies.

import { forbidden } from '../api/api.ts';
import type { RequestInfo, Stage, UserInfo } from './request.ts';
import { failure } from './status.ts';

/** Also what a SubjectAccessReview asks about. */
export interface Attributes extends RequestInfo {
  readonly user: UserInfo;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface Decision {
  readonly decision: 'allow' | 'deny' | 'no-opinion';
  readonly reason?: string;
}

/** As in the status of a SelfSubjectRulesReview. */
export interface Rules {
  readonly resourceRules: readonly object[];
  readonly nonResourceRules: readonly object[];
  readonly incomplete?: boolean;
}

export interface Authorizer {
  readonly name: string;
  authorize(attributes: Attributes): Promise<Decision> | Decision;
  /** What a SelfSubjectRulesReview shows; left out by authorizers that cannot list their rules. */
  rulesFor?(user: UserInfo, namespace: string): Promise<Rules> | Rules;
}

export const alwaysAllow: Authorizer = { name: 'AlwaysAllow', authorize: () => ({ decision: 'allow' }) };

export async function decide(authorizers: readonly Authorizer[], attributes: Attributes): Promise<Decision> {
  const reasons: string[] = [];
  for (const authorizer of authorizers) {
    const answer = authorizer.authorize(attributes);
    const decision = answer instanceof Promise ? await answer : answer;
    if (decision.decision !== 'no-opinion') return decision;
    if (decision.reason) reasons.push(decision.reason);
  }
  return { decision: 'no-opinion', ...(reasons.length && { reason: reasons.join(', ') }) };
}

export const authorize: Stage = async (request, next) => {
  const { user, info, query } = request;
  const labelSelector = query.get('labelSelector');
  const fieldSelector = query.get('fieldSelector');
  const attributes = {
    ...info,
    name: info.name || nameSelected(info.verb, fieldSelector),
    user,
    ...(labelSelector && { labelSelector }),
    ...(fieldSelector && { fieldSelector }),
  };
  const { decision, reason } = await decide(request.server.authorizers, attributes);
  if (decision === 'allow') return next();
  throw refusal(attributes, reason);
};

/** A list or watch of one name alone is judged as one of that name: rules with resourceNames may allow it. */
function nameSelected(verb: string, fieldSelector: string | null): string {
  if (!fieldSelector || !['list', 'watch', 'deletecollection'].includes(verb)) return '';
  return /(?:^|,)metadata\.name==?([^,=!]+)/.exec(fieldSelector)?.[1] ?? '';
}

/** The 403 as Kubernetes words it. */
function refusal(attributes: Attributes, reason: string | undefined) {
  const { user, verb, path, isResource, group, resource, subresource, namespace, name } = attributes;
  const why = reason ? `: ${reason}` : '';
  if (!isResource)
    return failure(
      403,
      'Forbidden',
      `forbidden: User ${quote(user.name)} cannot ${verb} path ${quote(path)}${why}`,
      {},
    );
  const what = subresource ? `${resource}/${subresource}` : resource;
  const where = namespace ? ` in the namespace ${quote(namespace)}` : ' at the cluster scope';
  return forbidden(
    { group, resource },
    name,
    `User ${quote(user.name)} cannot ${verb} resource ${quote(what)} in API group ${quote(group)}${where}${why}`,
  );
}

const quote = (text: string) => JSON.stringify(text);
