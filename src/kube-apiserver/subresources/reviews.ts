// Kinds that are answered and not stored.
// https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access

import {
  type ApiObject,
  badRequest,
  type SelfSubjectRulesReview,
  type SubjectAccessReview,
  type SubjectAccessReviewSpec,
  type TokenReview,
} from '../../api/api.ts';
import { decide } from '../access/authorization.ts';
import { decodeShape } from '../registry/codec.ts';
import type { Operation } from '../registry/operation.ts';
import type { Action } from '../registry/registry.ts';
import { trackFields } from '../registry/write/field-owners.ts';
import { objectReply, type Reply } from '../request/reply.ts';
import type { UserInfo } from '../request/user.ts';
import { timestamp } from '../timestamp.ts';
import { checkReview, reviewedAttributes } from './access-review.ts';
import { bindByBody } from './binding.ts';
import { created, type Review } from './subresource.ts';

type Reviewed = ApiObject & { readonly spec: object };

async function decoded<T extends Reviewed>(operation: Operation, action: Action): Promise<T> {
  const object = (await decodeShape(operation, created(action))) as T;
  return { ...object, metadata: object.metadata ?? {}, spec: object.spec ?? {} };
}

/** The same with its owner, as of an object that is stored. */
async function owned<T extends Reviewed>(operation: Operation, action: Action): Promise<T> {
  const review = await decoded<T>(operation, action);
  await trackFields(operation, review, undefined, created(action).options.fieldManager);
  return review;
}

const answer = (review: object, status: object): Reply => objectReply(201, { ...review, status });

async function statusOf({ server }: Operation, spec: SubjectAccessReviewSpec, user: UserInfo): Promise<object> {
  const { attributes, evaluationError } = await reviewedAttributes(spec, user, server.clock);
  const { decision, reason } = await decide(server.authorizers, attributes);
  return {
    allowed: decision === 'allow',
    ...(decision === 'deny' && { denied: true }),
    ...(reason && { reason }),
    ...(evaluationError && { evaluationError }),
  };
}

const subjectOf = ({ user = '', groups = [], uid, extra }: SubjectAccessReviewSpec): UserInfo => ({
  name: user,
  groups,
  ...(uid && { uid }),
  ...(extra && { extra }),
});

const subjectAccessReview: Review = async (operation, action) => {
  const review = await owned<SubjectAccessReview>(operation, action);
  checkReview(review, { subject: true });
  return answer(review, await statusOf(operation, review.spec, subjectOf(review.spec)));
};

const localSubjectAccessReview: Review = async (operation, action) => {
  const review = await owned<SubjectAccessReview>(operation, action);
  const { spec, metadata } = review;
  const { namespace } = operation;
  if (metadata.namespace && metadata.namespace !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  metadata.namespace = namespace;
  checkReview(review, { subject: true, namespace });
  return answer(review, await statusOf(operation, spec, subjectOf(spec)));
};

const selfSubjectAccessReview: Review = async (operation, action) => {
  const review = await owned<SubjectAccessReview>(operation, action);
  checkReview(review, {});
  return answer(review, await statusOf(operation, review.spec, operation.user));
};

const selfSubjectRulesReview: Review = async (operation, action) => {
  const review = await decoded<SelfSubjectRulesReview>(operation, action);
  const { namespace } = review.spec;
  if (!namespace) throw badRequest('no namespace on request');
  const rules = { resourceRules: [] as unknown[], nonResourceRules: [] as unknown[], incomplete: false };
  const errors: string[] = [];
  for (const authorizer of operation.server.authorizers) {
    const own = await authorizer.rulesFor?.(operation.user, namespace);
    if (!own) continue;
    rules.resourceRules.push(...own.resourceRules);
    rules.nonResourceRules.push(...own.nonResourceRules);
    rules.incomplete ||= own.incomplete ?? false;
    if (own.evaluationError) errors.push(own.evaluationError);
  }
  const evaluationError = errors.join(', ');
  return answer({ ...review, spec: {} }, { ...rules, ...(evaluationError && { evaluationError }) });
};

const infoOf = ({ name, uid, groups, extra }: UserInfo): object => ({
  username: name,
  ...(uid && { uid }),
  ...(groups.length && { groups }),
  ...(extra && Object.keys(extra).length && { extra }),
});

const selfSubjectReview: Review = async (operation, action) => {
  const { kind, apiVersion } = await decoded(operation, action);
  const creationTimestamp = timestamp(operation.server.clock.now());
  const status = { userInfo: infoOf(operation.user) };
  return objectReply(201, { kind, apiVersion, metadata: { creationTimestamp }, status });
};

const tokenReview: Review = async (operation, action) => {
  const review = await owned<TokenReview>(operation, action);
  const { token, audiences = [] } = review.spec;
  if (!token) throw badRequest('token is required for TokenReview in authentication');
  // Impossible in a request: a header's token ends at white space.
  if (/\s/.test(token)) return answer(review, { user: {}, error: 'invalid bearer token' });
  for (const authenticator of operation.server.authenticators) {
    try {
      const user = await authenticator.authenticateToken?.(token, audiences, operation);
      if (!user) continue;
      const of = audiences.length ? audiences : (operation.server.tokens?.audiences ?? []);
      return answer(review, { authenticated: true, user: infoOf(user), ...(of.length && { audiences: of }) });
    } catch (error) {
      const { why } = error as { why?: string };
      const other = 'invalid bearer token'; // Kubernetes' reader of older tokens always adds this
      return answer(review, { user: {}, error: why && why !== other ? `[${other}, ${why}]` : other });
    }
  }
  return answer(review, { user: {} });
};

export const reviews: Readonly<Record<string, Review>> = {
  bindings: bindByBody,
  subjectaccessreviews: subjectAccessReview,
  localsubjectaccessreviews: localSubjectAccessReview,
  selfsubjectaccessreviews: selfSubjectAccessReview,
  selfsubjectrulesreviews: selfSubjectRulesReview,
  selfsubjectreviews: selfSubjectReview,
  tokenreviews: tokenReview,
};
