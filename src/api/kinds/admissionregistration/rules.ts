// Rules that say which requests a webhook or policy sees.

import type { FieldError } from '../../errors.ts';
import { invalidValue, notSupported, required } from '../../fields.ts';

interface Rule {
  readonly operations?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly apiVersions?: readonly string[];
  readonly resources?: readonly string[];
  readonly scope?: string;
}

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const scopes = ['*', 'Cluster', 'Namespaced'];

export function validateRules(rules: readonly Rule[], path: string): FieldError[] {
  return rules.flatMap((rule, index) => {
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [];
    if (!rule.operations?.length) errors.push(required(`${at}.operations`));
    for (const [i, operation] of (rule.operations ?? []).entries())
      if (!operations.includes(operation)) errors.push(notSupported(`${at}.operations[${i}]`, operation, operations));
    for (const field of ['apiGroups', 'apiVersions', 'resources'] as const) {
      const list = rule[field] ?? [];
      if (!list.length) errors.push(required(`${at}.${field}`));
      else if (list.length > 1 && list.includes('*') && field !== 'resources')
        errors.push(invalidValue(`${at}.${field}`, list, "if '*' is present, must not specify other " + nouns[field]));
    }
    if (rule.scope !== undefined && !scopes.includes(rule.scope))
      errors.push(notSupported(`${at}.scope`, rule.scope, scopes));
    return errors;
  });
}

const nouns = { apiGroups: 'API groups', apiVersions: 'API versions' } as const;
