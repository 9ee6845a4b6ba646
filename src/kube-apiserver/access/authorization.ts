// Authorization. Authorizers run in order; the first that allows or denies decides. No opinion at all denies.

import { type ApiError, forbidden } from '../../api/api.ts';
import type { FieldRequirement } from '../../machinery/selectors/field-selector.ts';
import type { LabelSelector } from '../../machinery/selectors/label-selector.ts';
import type { RequestInfo } from '../request/request-info.ts';
import type { UserInfo } from '../request/user.ts';
import { failure, unguessed } from '../status.ts';

/** A SubjectAccessReview checks these too. */
export interface Attributes extends RequestInfo {
  readonly user: UserInfo;
  /** The field selector of a list, watch or deletecollection, when it is valid. */
  readonly fieldSelector?: readonly FieldRequirement[];
  /** Reads the label selector: authorizers may need it. Undefined when it is not valid. */
  readonly labelRequirements?: () => Promise<LabelSelector['requirements'] | undefined>;
}

export interface Decision {
  readonly decision: 'allow' | 'deny' | 'no-opinion';
  readonly reason?: string;
}

/** As in the status of a SelfSubjectRulesReview. */
interface Rules {
  readonly resourceRules: readonly object[];
  readonly nonResourceRules: readonly object[];
  readonly incomplete?: boolean;
  readonly evaluationError?: string;
}

export interface Authorizer {
  readonly name: string;
  authorize(attributes: Attributes): Promise<Decision> | Decision;
  /** The rules in a SelfSubjectRulesReview; omitted by authorizers that cannot list them. */
  rulesFor?(user: UserInfo, namespace: string): Promise<Rules> | Rules;
}

export const alwaysAllow: Authorizer = { name: 'AlwaysAllow', authorize: () => ({ decision: 'allow' }) };

/** Always "no opinion": denies unless another authorizer allows. */
export const alwaysDeny: Authorizer = {
  name: 'AlwaysDeny',
  authorize: () => ({ decision: 'no-opinion', reason: 'Everything is forbidden.' }),
};

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

/** Authorizers that are replaced as a whole: a request is decided by the old ones or by the new ones. */
export class ReplaceableAuthorizers implements Authorizer {
  readonly name = 'configured';
  #current: readonly Authorizer[] = [];

  replace(authorizers: readonly Authorizer[]): void {
    this.#current = authorizers;
  }

  authorize(attributes: Attributes): Promise<Decision> {
    return decide(this.#current, attributes);
  }

  async rulesFor(user: UserInfo, namespace: string): Promise<Rules> {
    const found: Rules[] = [];
    for (const authorizer of this.#current) {
      const rules = await authorizer.rulesFor?.(user, namespace);
      if (rules) found.push(rules);
    }
    const evaluationError = found.flatMap((rules) => rules.evaluationError ?? []).join(', ');
    return {
      resourceRules: found.flatMap(({ resourceRules }) => resourceRules),
      nonResourceRules: found.flatMap(({ nonResourceRules }) => nonResourceRules),
      incomplete: found.some(({ incomplete }) => incomplete),
      ...(evaluationError && { evaluationError }),
    };
  }
}

/** The 403 as Kubernetes words it. */
export const refusal = (attributes: Attributes, reason: string | undefined): ApiError =>
  unguessed(refused(attributes, reason));

function refused(attributes: Attributes, reason: string | undefined): ApiError {
  const { user, verb, path, isResource, group, resource, subresource, namespace, name } = attributes;
  const why = reason ? `: ${reason}` : '';
  if (!isResource)
    return failure(
      403,
      'Forbidden',
      `forbidden: ${escaped(`User ${quote(user.name)} cannot ${verb} path ${quote(path)}`)}${why}`,
      {},
    );
  const fullResource = subresource ? `${resource}/${subresource}` : resource;
  const where = namespace ? ` in the namespace ${quote(namespace)}` : ' at the cluster scope';
  const text = `User ${quote(user.name)} cannot ${verb} resource ${quote(fullResource)} in API group ${quote(group)}${where}`;
  return forbidden({ group, resource }, name, `${escaped(text)}${why}`);
}

const quote = (text: string) => JSON.stringify(text);
/** Text from the request must do no harm in a browser. */
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
