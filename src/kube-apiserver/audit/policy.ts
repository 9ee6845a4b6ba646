// Which requests are recorded, and how much of each: the first rule that matches decides.
// https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/#audit-policy

import { parse } from 'yaml';
import { type Shape, shapeFaults, withoutNulls } from '../../machinery/fields/configuration-shape.ts';
import { isFields } from '../../machinery/parsed.ts';
import type { RequestInfo } from '../request/request-info.ts';
import type { UserInfo } from '../request/user.ts';

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
const texts = 'list of strings';
const shape = {
  apiVersion: 'string',
  kind: 'string',
  metadata: 'any',
  omitStages: texts,
  omitManagedFields: 'boolean',
  rules: [
    {
      level: 'string',
      omitManagedFields: 'boolean',
      users: texts,
      userGroups: texts,
      verbs: texts,
      namespaces: texts,
      nonResourceURLs: texts,
      omitStages: texts,
      resources: [{ group: 'string', resources: texts, resourceNames: texts }],
    },
  ],
} as const satisfies Shape;

/** Reads a policy file, YAML or JSON. Throws AuditPolicyError with all faults. */
export function parseAuditPolicy(text: string): AuditPolicy {
  let policy: unknown;
  try {
    policy = parse(text, { maxAliasCount: 100, logLevel: 'error' });
  } catch (error) {
    throw new AuditPolicyError(`it is no YAML: ${(error as Error).message}`);
  }
  if (!isFields(policy)) throw new AuditPolicyError('it is empty, or no object');
  if (policy['apiVersion'] !== 'audit.k8s.io/v1' || policy['kind'] !== 'Policy')
    throw new AuditPolicyError('apiVersion must be audit.k8s.io/v1 and kind Policy');
  const ofShape = [...shapeFaults(policy, shape)];
  if (ofShape.length > 0) throw new AuditPolicyError(ofShape.join('; '));
  const given = withoutNulls(policy) as GivenPolicy;
  const faults = [...policyFaults(given)];
  if (faults.length > 0) throw new AuditPolicyError(faults.join('; '));
  return given as AuditPolicy;
}

type GivenRule = Partial<AuditPolicy['rules'][number]>;
type GivenPolicy = Omit<AuditPolicy, 'rules'> & { readonly rules?: readonly GivenRule[] };

function* policyFaults({ omitStages, rules = [] }: GivenPolicy): Generator<string> {
  yield* stageFaults('omitStages', omitStages);
  if (rules.length === 0) yield 'rules: there must be at least one';
  for (const [i, rule] of rules.entries()) yield* ruleFaults(`rules[${i}]`, rule);
}

function* ruleFaults(path: string, rule: GivenRule): Generator<string> {
  const { level, omitStages, nonResourceURLs: urls = [], resources = [], namespaces = [] } = rule;
  if (level === undefined) yield `${path}.level: Required value`;
  else if (!levels.includes(level))
    yield `${path}.level: Unsupported value: ${JSON.stringify(level)}: supported values: ${levels.map((one) => `"${one}"`).join(', ')}`;
  yield* stageFaults(`${path}.omitStages`, omitStages);
  if (urls.length && (resources.length || namespaces.length))
    yield `${path}.nonResourceURLs: Invalid value: rules cannot apply to both regular resources and non-resource URLs`;
  for (const [i, url] of urls.entries()) {
    if (url === '*') continue;
    if (!url.startsWith('/'))
      yield `${path}.nonResourceURLs[${i}]: non-resource URL rules must begin with a '/' character`;
    if (url.slice(0, -1).includes('*'))
      yield `${path}.nonResourceURLs[${i}]: non-resource URL wildcards '*' must be the final character of the rule`;
  }
  for (const [i, { group = '', resources: plurals = [], resourceNames = [] }] of resources.entries()) {
    const at = `${path}.resources[${i}]`;
    if (group.includes('/')) yield `${at}.group: must be a group without a version`;
    if (resourceNames.length && !plurals.length)
      yield `${at}.resourceNames: using resourceNames requires at least one resource`;
  }
}

function* stageFaults(path: string, list: readonly string[] = []): Generator<string> {
  for (const stage of list)
    if (!(stages as readonly string[]).includes(stage))
      yield `${path}: Invalid value: ${JSON.stringify(stage)}: allowed stages are ${stages.join(',')}`;
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
