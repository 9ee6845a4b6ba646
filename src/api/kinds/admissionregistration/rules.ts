// Rules that select the requests for a webhook or policy.

import { pathSegmentFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, invalidValue, invalidValues, notSupported, oneOf, required } from '../../fields.ts';

interface Rule {
  readonly operations?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly apiVersions?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly scope?: string;
}

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const scopes = ['*', 'Cluster', 'Namespaced'];

export function validateRules(rules: readonly Rule[] = [], path: string): FieldError[] {
  return rules.flatMap((rule, index) => {
    const at = `${path}[${index}]`;
    const versions = rule.apiVersions ?? [];
    return [
      ...resourceNameFaults(rule.resourceNames, `${at}.resourceNames`),
      ...listFaults(rule.operations, `${at}.operations`, 'operations'),
      ...(rule.operations ?? []).flatMap((one, i) => oneOf(`${at}.operations[${i}]`, one, operations)),
      ...listFaults(rule.apiGroups, `${at}.apiGroups`, 'API groups'),
      ...listFaults(versions, `${at}.apiVersions`, 'API versions'),
      ...versions.flatMap((version, i) => (version ? [] : [required(`${at}.apiVersions[${i}]`)])),
      ...resourceFaults(rule.resources, `${at}.resources`),
      ...oneOf(`${at}.scope`, rule.scope, scopes),
    ];
  });
}

/** At least one; `*` must be the only item. */
function listFaults(list: readonly string[] = [], path: string, plural: string): FieldError[] {
  if (!list.length) return [required(path)];
  if (list.length === 1 || !list.includes('*')) return [];
  return [invalidValue(path, list, `if '*' is present, must not specify other ${plural}`)];
}

function resourceNameFaults(names: readonly string[] = [], path: string): FieldError[] {
  const seen = new Set<string>();
  return names.flatMap((name, index) => {
    const at = `${path}[${index}]`;
    const faults = invalidValues(at, name, pathSegmentFaults(name));
    const isDuplicate = seen.has(name);
    seen.add(name);
    return isDuplicate ? [...faults, duplicate(at, name)] : faults;
  });
}

/** A rule may not name a resource beside a wildcard that covers it, such as `pods/*` and `pods/status`. */
function resourceFaults(resources: readonly string[] = [], path: string): FieldError[] {
  if (!resources.length) return [required(path)];
  const errors: FieldError[] = [];
  const anySubresource = new Set<string>();
  const ofAnyResource = new Set<string>();
  let plain = false;
  for (const [index, name] of resources.entries()) {
    const at = `${path}[${index}]`;
    const [resource, subresource] = split(name);
    if (!name) errors.push(required(at));
    else if (subresource === undefined) plain = name !== '*';
    else {
      if (anySubresource.has(resource))
        errors.push(invalidValue(at, name, `if '${resource}/*' is present, must not specify ${name}`));
      if (ofAnyResource.has(subresource))
        errors.push(invalidValue(at, name, `if '*/${subresource}' is present, must not specify ${name}`));
      if (subresource === '*') anySubresource.add(resource);
      if (resource === '*') ofAnyResource.add(subresource);
    }
  }
  if (resources.length > 1 && resources.includes('*/*'))
    errors.push(invalidValue(path, resources, "if '*/*' is present, must not specify other resources"));
  if (resources.includes('*') && plain)
    errors.push(
      invalidValue(path, resources, "if '*' is present, must not specify other resources without subresources"),
    );
  return errors;
}

function split(name: string): [resource: string, subresource?: string] {
  const slash = name.indexOf('/');
  return slash < 0 ? [name] : [name.slice(0, slash), name.slice(slash + 1)];
}

/** Mutating policies do not apply to deletions. */
export function validateMutatingOperations(rules: readonly Rule[] = [], path: string): FieldError[] {
  const supported = operations.filter((one) => one !== 'DELETE');
  return rules.flatMap((rule) =>
    (rule.operations ?? [])
      .filter((one) => !supported.includes(one))
      .map((one) => notSupported(`${path}.operations`, one, supported)),
  );
}
