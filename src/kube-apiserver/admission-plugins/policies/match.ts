// Which requests a policy sees. https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/

import {
  type ApiObject,
  ignoreNotFound,
  type Kind,
  type MatchResources,
  type NamedRuleWithOperations,
} from '../../../api/api.ts';
import type { Client } from '../../../client/client.ts';
import { type LabelSelectorSpec, labelSelector } from '../../../machinery/selectors/label-selector.ts';
import type { AdmissionAttributes } from '../../admission.ts';
import { equivalentKinds } from '../versions.ts';

/** The namespace that the request is in; undefined for cluster-scoped objects. */
export async function namespaceOf({ kind, namespace }: AdmissionAttributes, client: Client) {
  if (!kind.namespaced || !namespace) return undefined;
  return client.get('namespaces', { name: namespace }).catch(ignoreNotFound);
}

/** The version of the object for `match`: the request's if possible; undefined if it does not match. */
export function matchedKind(
  match: MatchResources | undefined,
  attributes: AdmissionAttributes,
  namespace: ApiObject | undefined,
): Kind | undefined {
  if (!match) return attributes.kind;
  const { resourceRules = [], excludeResourceRules = [], namespaceSelector, objectSelector, matchPolicy } = match;
  if (!namespaceMatches(namespaceSelector, attributes, namespace) || !objectMatches(objectSelector, attributes))
    return undefined;
  if (kindOfRules(excludeResourceRules, matchPolicy, attributes)) return undefined;
  return resourceRules.length ? kindOfRules(resourceRules, matchPolicy, attributes) : attributes.kind;
}

function kindOfRules(
  rules: readonly NamedRuleWithOperations[],
  matchPolicy: MatchResources['matchPolicy'],
  attributes: AdmissionAttributes,
): Kind | undefined {
  if (rules.some((rule) => ruleMatches(rule, attributes, attributes.kind))) return attributes.kind;
  if (!rules.length || matchPolicy === 'Exact') return undefined;
  const equivalents = equivalentKinds(attributes);
  for (const rule of rules) {
    const found = equivalents.find((kind) => ruleMatches(rule, attributes, kind));
    if (found) return found;
  }
  return undefined;
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
  return labelSelector(selector as LabelSelectorSpec | undefined).matches(labels ?? {});
}

function objectMatches(selector: Selector, { object, oldObject }: AdmissionAttributes): boolean {
  if (isEmpty(selector)) return true;
  const compiled = labelSelector(selector as LabelSelectorSpec | undefined);
  return [object, oldObject].some((one) => one && compiled.matches(one.metadata?.labels ?? {}));
}
