// Which flow schema a request belongs to.
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#flowschema

import type {
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  Subject,
} from '../../api/api.ts';
import type { RequestInfo } from '../request/request-info.ts';
import type { UserInfo } from '../request/user.ts';

/** The order in which schemas are tried: lower precedence first, then by name. */
export const byPrecedence = (a: FlowSchema, b: FlowSchema): number =>
  (a.spec?.matchingPrecedence ?? 0) - (b.spec?.matchingPrecedence ?? 0) || (a.metadata.name < b.metadata.name ? -1 : 1);

export const matchesSchema = ({ spec }: FlowSchema, info: RequestInfo, user: UserInfo): boolean =>
  (spec?.rules ?? []).some((rule) => matchesRule(rule, info, user));

function matchesRule(
  { subjects, resourceRules, nonResourceRules }: PolicyRulesWithSubjects,
  info: RequestInfo,
  user: UserInfo,
): boolean {
  if (!subjects.some((subject) => matchesSubject(subject, user))) return false;
  return info.isResource
    ? (resourceRules ?? []).some((rule) => matchesResource(rule, info))
    : (nonResourceRules ?? []).some((rule) => matchesPath(rule, info));
}

function matchesSubject({ kind, user: byName, group, serviceAccount }: Subject, user: UserInfo): boolean {
  if (kind === 'User') return byName !== undefined && (byName.name === '*' || byName.name === user.name);
  if (kind === 'Group') return group !== undefined && (group.name === '*' || user.groups.includes(group.name));
  if (!serviceAccount) return false;
  const prefix = `system:serviceaccount:${serviceAccount.namespace}:`;
  return serviceAccount.name === '*' ? user.name.startsWith(prefix) : user.name === `${prefix}${serviceAccount.name}`;
}

function matchesResource(
  rule: ResourcePolicyRule,
  { verb, group, resource, subresource, namespace }: RequestInfo,
): boolean {
  const fullResource = subresource ? `${resource}/${subresource}` : resource;
  if (!has(rule.verbs, verb) || !has(rule.resources, fullResource) || !has(rule.apiGroups, group)) return false;
  return namespace ? has(rule.namespaces ?? [], namespace) : (rule.clusterScope ?? false);
}

const matchesPath = ({ verbs, nonResourceURLs }: NonResourcePolicyRule, { verb, path }: RequestInfo): boolean =>
  has(verbs, verb) && nonResourceURLs.some((url) => url === '*' || url === path || path.startsWith(prefixOf(url)));

const prefixOf = (url: string): string => {
  const prefix = url.endsWith('*') ? url.slice(0, -1) : url;
  return prefix.endsWith('/') ? prefix : `${prefix}/`;
};

const has = (list: readonly string[], value: string): boolean =>
  (list.length === 1 && list[0] === '*') || list.includes(value);

/** The text that distinguishes flows of one schema. */
export function distinguisherOf({ spec }: FlowSchema, { namespace }: RequestInfo, user: UserInfo): string {
  const type = spec?.distinguisherMethod?.type;
  return type === 'ByUser' ? user.name : type === 'ByNamespace' ? namespace : '';
}
