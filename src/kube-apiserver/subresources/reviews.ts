// Kinds that are answered and not stored.
// https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access

import { badRequest } from '../../api/api.ts';
import { type Attributes, decide } from '../authorization.ts';
import { decodeShape } from '../registry/codec.ts';
import { type Target, writeOptions } from '../registry/target.ts';
import { timestamp } from '../registry/write.ts';
import { type ApiRequest, objectReply, type Reply, type UserInfo } from '../request.ts';
import { failure } from '../status.ts';
import { bindByBody } from './binding.ts';

type Review = (target: Target) => Promise<Reply>;

async function decoded({ request, kind }: Target): Promise<any> {
  const object = await decodeShape(request, kind, writeOptions(request, 'CreateOptions'));
  return { ...object, metadata: object.metadata ?? {}, spec: object.spec ?? {} };
}

const answer = (review: any, status: object): Reply => objectReply(201, { ...review, status });

function refuse(field: string, message: string) {
  const cause = { reason: 'FieldValueInvalid', message: `Invalid value: ${message}`, field };
  const group = 'authorization.k8s.io';
  return failure(422, 'Invalid', `.${group} "" is invalid: ${field}: ${cause.message}`, { group, causes: [cause] });
}

function checkAttributes({ resourceAttributes: resource, nonResourceAttributes: path }: any): void {
  const one = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
  if (resource && path)
    throw refuse('spec.nonResourceAttributes', `"" : cannot be specified in combination with resourceAttributes`);
  if (!resource && !path) throw refuse('spec.resourceAttributes', `null: ${one}`);
  for (const name of ['labelSelector', 'fieldSelector']) {
    const { rawSelector, requirements } = resource?.[name] ?? {};
    if (rawSelector && requirements?.length)
      throw refuse(
        `spec.resourceAttributes.${name}.rawSelector`,
        `${JSON.stringify(rawSelector)}: may not specified at the same time as requirements`,
      );
  }
}

function attributesOf(spec: any, user: UserInfo): Attributes {
  const { resourceAttributes: resource, nonResourceAttributes: path } = spec;
  const nothing = {
    group: '',
    version: '',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    rest: '',
    path: '',
    user,
  };
  if (path) return { ...nothing, isResource: false, path: path.path ?? '', verb: path.verb ?? '' };
  const { group = '', version = '', resource: name = '', subresource = '', namespace = '', verb = '' } = resource;
  return {
    ...nothing,
    isResource: true,
    verb,
    group,
    version,
    resource: name,
    subresource,
    namespace,
    name: resource.name ?? '',
  };
}

async function statusOf({ server }: Target, attributes: Attributes): Promise<object> {
  const { decision, reason } = await decide(server.authorizers, attributes);
  return {
    allowed: decision === 'allow',
    ...(decision === 'deny' && { denied: true }),
    ...(reason && { reason }),
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
  const { spec } = review;
  checkAttributes(spec);
  if (!spec.user && !spec.groups?.length)
    throw refuse('spec.user', '"": at least one of user or group must be specified');
  return answer(review, await statusOf(target, attributesOf(spec, subjectOf(spec))));
};

const localSubjectAccessReview: Review = async (target) => {
  const review = await decoded(target);
  const { spec, metadata } = review;
  const { namespace } = target;
  if (metadata.namespace && metadata.namespace !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  metadata.namespace = namespace;
  checkAttributes(spec);
  if ((spec.resourceAttributes?.namespace ?? '') !== namespace)
    throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${namespace}`);
  return answer(review, await statusOf(target, attributesOf(spec, subjectOf(spec))));
};

const selfSubjectAccessReview: Review = async (target) => {
  const review = await decoded(target);
  checkAttributes(review.spec);
  return answer(review, await statusOf(target, attributesOf(review.spec, target.request.user)));
};

const selfSubjectRulesReview: Review = async (target) => {
  const review = await decoded(target);
  const { namespace } = review.spec;
  if (!namespace) throw badRequest('no namespace on request');
  const rules = { resourceRules: [] as unknown[], nonResourceRules: [] as unknown[], incomplete: false };
  for (const authorizer of target.server.authorizers) {
    const own = await authorizer.rulesFor?.(target.request.user, namespace);
    if (!own) continue;
    rules.resourceRules.push(...own.resourceRules);
    rules.nonResourceRules.push(...own.nonResourceRules);
    rules.incomplete ||= own.incomplete ?? false;
  }
  return answer({ ...review, spec: {} }, rules);
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
