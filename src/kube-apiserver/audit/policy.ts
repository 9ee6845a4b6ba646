// Which requests are recorded, and how much of each: the first rule that matches decides.
// https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/#audit-policy

import { parse } from 'yaml';
import { type Fields, isFields, listIn, textIn } from '../../machinery/parsed.ts';
import type { RequestInfo } from '../request-info.ts';
import type { UserInfo } from '../user.ts';

type AuditLevel = 'None' | 'Metadata' | 'Request' | 'RequestResponse';
export type AuditStage = 'RequestReceived' | 'ResponseStarted' | 'ResponseComplete' | 'Panic';

interface GroupResources {
  readonly group?: string;
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

interface PolicyRule {
  readonly level: AuditLevel;
  readonly users?: readonly string[];
  readonly userGroups?: readonly string[];
  readonly verbs?: readonly string[];
  readonly resources?: readonly GroupResources[];
  readonly namespaces?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

export interface AuditPolicy {
  readonly rules: readonly PolicyRule[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

/** The policy's decision for one request. */
export interface AuditConfig {
  readonly level: AuditLevel;
  readonly omitStages: ReadonlySet<AuditStage>;
  readonly omitManagedFields: boolean;
}

export class AuditPolicyError extends Error {
  override readonly name = 'AuditPolicyError';
}

const levels: readonly AuditLevel[] = ['None', 'Metadata', 'Request', 'RequestResponse'];
const stages: readonly AuditStage[] = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'];
const policyFields = ['apiVersion', 'kind', 'metadata', 'rules', 'omitStages', 'omitManagedFields'];
const lists = ['users', 'userGroups', 'verbs', 'resources', 'namespaces', 'nonResourceURLs', 'omitStages'];
const ruleFields = ['level', 'omitManagedFields', ...lists];
const resourceFields = ['group', 'resources', 'resourceNames'];

/** Reads a policy file, YAML or JSON. Throws AuditPolicyError with all faults. */
export function parseAuditPolicy(text: string): AuditPolicy {
  let policy: unknown;
  try {
    policy = parse(text, { maxAliasCount: 100 });
  } catch (error) {
    throw new AuditPolicyError(`it is no YAML: ${(error as Error).message}`);
  }
  if (!isFields(policy)) throw new AuditPolicyError('it is empty, or no object');
  if (policy['apiVersion'] !== 'audit.k8s.io/v1' || policy['kind'] !== 'Policy')
    throw new AuditPolicyError('apiVersion must be audit.k8s.io/v1 and kind Policy');
  const faults = [...policyFaults(policy)];
  if (faults.length > 0) throw new AuditPolicyError(faults.join('; '));
  return policy as Fields & AuditPolicy;
}

function* policyFaults(policy: Fields): Generator<string> {
  yield* unknownFields('', policy, policyFields);
  yield* stageFaults('omitStages', policy['omitStages']);
  const rules = listIn(policy['rules']);
  if (rules.length === 0) {
    yield 'rules: there must be at least one';
    return;
  }
  for (const [i, rule] of rules.entries()) yield* ruleFaults(`rules[${i}]`, rule);
}

function* ruleFaults(path: string, rule: unknown): Generator<string> {
  if (!isFields(rule)) return void (yield `${path}: must be an object`);
  yield* unknownFields(path, rule, ruleFields);
  const level = rule['level'];
  if (level === undefined) yield `${path}.level: Required value`;
  else if (!(levels as readonly unknown[]).includes(level))
    yield `${path}.level: Unsupported value: ${JSON.stringify(level)}: supported values: ${levels.map((one) => `"${one}"`).join(', ')}`;
  for (const field of lists)
    if (rule[field] !== undefined && rule[field] !== null && !Array.isArray(rule[field]))
      return void (yield `${path}.${field}: must be a list`);
  yield* stageFaults(`${path}.omitStages`, rule['omitStages']);
  const [urls, resources] = [listIn(rule['nonResourceURLs']), listIn(rule['resources'])];
  if (urls.length && (resources.length || listIn(rule['namespaces']).length))
    yield `${path}.nonResourceURLs: Invalid value: rules cannot apply to both regular resources and non-resource URLs`;
  for (const [i, url] of urls.entries()) {
    if (url === '*') continue;
    if (!String(url).startsWith('/'))
      yield `${path}.nonResourceURLs[${i}]: non-resource URL rules must begin with a '/' character`;
    if (String(url).slice(0, -1).includes('*'))
      yield `${path}.nonResourceURLs[${i}]: non-resource URL wildcards '*' must be the final character of the rule`;
  }
  for (const [i, entry] of resources.entries()) {
    const at = `${path}.resources[${i}]`;
    if (!isFields(entry)) return void (yield `${at}: must be an object`);
    yield* unknownFields(at, entry, resourceFields);
    if (textIn(entry['group']).includes('/')) yield `${at}.group: must be a group without a version`;
    if (listIn(entry['resourceNames']).length && !listIn(entry['resources']).length)
      yield `${at}.resourceNames: using resourceNames requires at least one resource`;
  }
}

function* stageFaults(path: string, list: unknown): Generator<string> {
  if (list === undefined || list === null) return;
  for (const stage of Array.isArray(list) ? list : [list])
    if (!stages.includes(stage))
      yield `${path}: Invalid value: ${JSON.stringify(stage)}: allowed stages are ${stages.join(',')}`;
}

function* unknownFields(path: string, object: object, allowed: readonly string[]): Generator<string> {
  for (const field of Object.keys(object))
    if (!allowed.includes(field)) yield `unknown field "${path ? `${path}.` : ''}${field}"`;
}

/** The first matching rule decides. `user` is undefined when the request could not be authenticated. */
export function configFor(policy: AuditPolicy, info: RequestInfo, user: UserInfo | undefined): AuditConfig {
  const rule = policy.rules.find((candidate) => matches(candidate, info, user));
  return {
    level: rule?.level ?? 'None',
    omitStages: new Set([...(policy.omitStages ?? []), ...(rule?.omitStages ?? [])]),
    omitManagedFields: rule?.omitManagedFields ?? policy.omitManagedFields ?? false,
  };
}

function matches(rule: PolicyRule, info: RequestInfo, user: UserInfo | undefined): boolean {
  if (rule.users?.length && !(user && rule.users.includes(user.name))) return false;
  if (rule.userGroups?.length && !user?.groups.some((group) => rule.userGroups?.includes(group))) return false;
  if (rule.verbs?.length && !rule.verbs.includes(info.verb)) return false;
  if (rule.namespaces?.length || rule.resources?.length) return matchesResource(rule, info);
  if (rule.nonResourceURLs?.length)
    return !info.isResource && rule.nonResourceURLs.some((url) => matchesPath(url, info.path));
  return true;
}

function matchesPath(url: string, path: string): boolean {
  return url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1)));
}

function matchesResource({ namespaces, resources }: PolicyRule, info: RequestInfo): boolean {
  if (!info.isResource) return false;
  if (namespaces?.length && !namespaces.includes(info.namespace)) return false;
  if (!resources?.length) return true;
  const { resource, subresource, name } = info;
  const combined = subresource ? `${resource}/${subresource}` : resource;
  return resources.some(({ group = '', resources: list = [], resourceNames = [] }) => {
    if (group !== '*' && group !== info.group) return false;
    if (list.length === 0) return true;
    if (resourceNames.length > 0 && !resourceNames.includes(name)) return false;
    return list.some(
      (one) =>
        one === '*' ||
        one === combined ||
        (subresource !== '' && one === `*/${subresource}`) ||
        (one.endsWith('/*') && one.slice(0, -2) === resource),
    );
  });
}
