// Kinds that are answered and not stored.
// https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access

import { badRequest } from '../../api/api.ts';
import { decide } from '../authorization.ts';
import { decodeShape } from '../registry/codec.ts';
import { type Target, writeOptions } from '../registry/target.ts';
import { timestamp } from '../registry/write.ts';
import { type ApiRequest, objectReply, type Reply, type UserInfo } from '../request.ts';
import { checkReview, reviewedAttributes } from './access-review.ts';
import { bindByBody } from './binding.ts';

type Review = (target: Target) => Promise<Reply>;

async function decoded({ request, kind }: Target): Promise<any> {
  const object = await decodeShape(request, kind, writeOptions(request, 'CreateOptions'));
  return { ...object, metadata: object.metadata ?? {}, spec: object.spec ?? {} };
}

const answer = (review: any, status: object): Reply => objectReply(201, { ...review, status });

async function statusOf({ server }: Target, spec: any, user: UserInfo): Promise<object> {
  const { attributes, evaluationError } = reviewedAttributes(spec, user);
  const { decision, reason } = await decide(server.authorizers, attributes);
  return {
    allowed: decision === 'allow',
    ...(decision === 'deny' && { denied: true }),
    ...(reason && { reason }),
    ...(evaluationError && { evaluationError }),
  };
}

const subjectOf = ({ user = '', groups = [], uid, extra }: any): UserInfo => ({
  name: user,
  groups,
  ...(uid && { uid }),
  ...(extra && { extra }),
});

const subjectAccessReview: Review = async (target) => {
  const review = await decoded(target);
  checkReview(review, { subject: true });
  return answer(review, await statusOf(target, review.spec, subjectOf(review.spec)));
};

const localSubjectAccessReview: Review = async (target) => {
  const review = await decoded(target);
  const { spec, metadata } = review;
  const { namespace } = target;
  if (metadata.namespace && metadata.namespace !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  metadata.namespace = namespace;
  checkReview(review, { subject: true, namespace });
  return answer(review, await statusOf(target, spec, subjectOf(spec)));
};

const selfSubjectAccessReview: Review = async (target) => {
  const review = await decoded(target);
  checkReview(review, {});
  return answer(review, await statusOf(target, review.spec, target.request.user));
};

const selfSubjectRulesReview: Review = async (target) => {
  const review = await decoded(target);
  const { namespace } = review.spec;
  if (!namespace) throw badRequest('no namespace on request');
  const rules = { resourceRules: [] as unknown[], nonResourceRules: [] as unknown[], incomplete: false };
  const errors: string[] = [];
  for (const authorizer of target.server.authorizers) {
    const own = await authorizer.rulesFor?.(target.request.user, namespace);
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

const selfSubjectReview: Review = async (target) => {
  const { kind, apiVersion } = await decoded(target);
  const creationTimestamp = timestamp(target.server.clock.now());
  const status = { userInfo: infoOf(target.request.user) };
  return objectReply(201, { kind, apiVersion, metadata: { creationTimestamp }, status });
};

const tokenReview: Review = async (target) => {
  const review = await decoded(target);
  const { token, audiences = [] } = review.spec;
  if (!token) throw badRequest('token is required for TokenReview in authentication');
  const probe: ApiRequest = {
    ...target.request,
    headers: { authorization: `Bearer ${token}` },
    connection: { remoteAddress: '' },
  };
  // No header could carry it, and the probe's would end at the white space.
  if (/\s/.test(token)) return answer(review, { user: {}, error: 'invalid bearer token' });
  for (const authenticator of target.server.authenticators) {
    if (!authenticator.reviewsTokens) continue;
    try {
      const user = await authenticator.authenticate(probe, audiences);
      if (!user) continue;
      const of = audiences.length ? audiences : (target.server.tokens?.audiences ?? []);
      return answer(review, { authenticated: true, user: infoOf(user), ...(of.length && { audiences: of }) });
    } catch (error) {
      const { why } = error as { why?: string };
      const other = 'invalid bearer token'; // what the reader of older tokens always says
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
