import {
  byteLength,
  dns1123LabelFaults,
  dns1123SubdomainFaults,
  pathSegmentFaults,
} from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValues, required, tooLong, unchanged } from '../../fields.ts';
import type { IngressClass, IngressClassParametersReference } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { domainPrefixedPath } from '../../validation/names.ts';
import { needed, oneOfThese, set, struct, text } from '../../validation/rules.ts';
import { none } from '../cells.ts';

export const ingressClass: KindBehaviour<IngressClass> = {
  hasGeneration: true,
  cells: {
    Controller: (c) => c.spec?.controller ?? '',
    Parameters: (c) => {
      const p = c.spec?.parameters;
      if (!p) return none;
      return `${p.kind}${p.apiGroup ? `.${p.apiGroup}` : ''}/${p.name}`;
    },
  },
  strategy: {
    setDefaults(c) {
      if (c.spec?.parameters) c.spec.parameters.scope ??= 'Cluster';
    },
    metadataOnUpdate: ['change', 'whole'],
    validate,
    validateUpdate: (next, old) => [
      ...unchanged('spec.controller', next.spec?.controller ?? '', old.spec?.controller ?? ''),
      ...validate(next),
    ],
  },
};

const maxController = 250;
const subdomain = text(dns1123SubdomainFaults);
const segment = needed(text(pathSegmentFaults));

function validate(c: IngressClass): FieldError[] {
  const { controller = '', parameters } = c.spec ?? {};
  return [
    ...(byteLength(controller) > maxController ? [tooLong('spec.controller', maxController)] : []),
    ...domainPrefixedPath(controller, 'spec.controller'),
    ...validateParameters(parameters, 'spec.parameters'),
  ];
}

const reference = struct({
  apiGroup: set(subdomain),
  kind: segment,
  name: segment,
  scope: set(oneOfThese('Cluster', 'Namespace')),
});

function validateParameters(p: IngressClassParametersReference | undefined, path: string): FieldError[] {
  if (!p) return [];
  const errors = [...reference(p, path)];
  const { scope, namespace } = p;
  if (scope === undefined) errors.push(required(`${path}.scope`));
  if (scope === 'Namespace')
    errors.push(
      ...(namespace === undefined
        ? [required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'")]
        : invalidValues(`${path}.namespace`, namespace, dns1123LabelFaults(namespace))),
    );
  if (scope === 'Cluster' && namespace !== undefined)
    errors.push(forbiddenField(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'"));
  return errors;
}
