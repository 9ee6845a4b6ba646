// Which requests a policy sees. https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/

import {
  type ApiObject,
  isNotFound,
  type Kind,
  type MatchResources,
  type NamedRuleWithOperations,
} from '../../../api/api.ts';
import type { Client } from '../../../client/client.ts';
import { labelSelector } from '../../../machinery/label-selector.ts';
import type { AdmissionAttributes } from '../../admission.ts';

/** The namespace that the request is in; undefined for cluster-scoped objects. */
export async function namespaceOf({ kind, namespace }: AdmissionAttributes, client: Client) {
  if (!kind.namespaced || !namespace) return undefined;
  return client
    .get('namespaces', { name: namespace })
    .catch((error) => (isNotFound(error) ? undefined : Promise.reject(error)));
}

/** As `match` has it; `kind` is the version that the rules are about, by default that of the request. */
export function matches(
  match: MatchResources | undefined,
  attributes: AdmissionAttributes,
  namespace: ApiObject | undefined,
  kind: Kind = attributes.kind,
): boolean {
  if (!match) return true;
  const { resourceRules, excludeResourceRules = [], namespaceSelector, objectSelector } = match;
  if (resourceRules && !resourceRules.some((rule) => ruleMatches(rule, attributes, kind))) return false;
  if (excludeResourceRules.some((rule) => ruleMatches(rule, attributes, kind))) return false;
  return namespaceMatches(namespaceSelector, attributes, namespace) && objectMatches(objectSelector, attributes);
}

const has = (list: readonly string[] | undefined, wanted: string) =>
  (list ?? []).some((one) => one === '*' || one === wanted);

function ruleMatches(rule: NamedRuleWithOperations, attributes: AdmissionAttributes, kind: Kind): boolean {
  const { operation, resource, subresource, name } = attributes;
  if (!has(rule.operations, operation) || !has(rule.apiGroups, kind.group) || !has(rule.apiVersions, kind.version))
    return false;
  if (rule.scope === 'Cluster' ? kind.namespaced : rule.scope === 'Namespaced' && !kind.namespaced) return false;
  if (rule.resourceNames?.length && !rule.resourceNames.includes(name)) return false;
  return (rule.resources ?? []).some((one) => {
    const [plural, sub = ''] = one.split('/');
    return (plural === '*' || plural === resource) && (sub === '*' || sub === subresource);
  });
}

type Selector = MatchResources['namespaceSelector'];
const isEmpty = (selector: Selector) => !selector?.matchLabels && !selector?.matchExpressions?.length;

function namespaceMatches(
  selector: Selector,
  { kind, object, oldObject }: AdmissionAttributes,
  namespace: ApiObject | undefined,
): boolean {
  if (isEmpty(selector)) return true;
  const isNamespace = kind.group === '' && kind.resource === 'namespaces';
  const labels = isNamespace ? (object ?? oldObject)?.metadata.labels : namespace?.metadata.labels;
  if (!isNamespace && !kind.namespaced) return true;
  return labelSelector(selector as never).matches(labels ?? {});
}

function objectMatches(selector: Selector, { object, oldObject }: AdmissionAttributes): boolean {
  if (isEmpty(selector)) return true;
  const compiled = labelSelector(selector as never);
  return [object, oldObject].some((one) => one && compiled.matches(one.metadata?.labels ?? {}));
}
