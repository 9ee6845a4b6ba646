import { domainPrefixedPathFaults } from '../../../machinery/names.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValues, notSupported, required, unchanged } from '../../fields.ts';
import type { IngressClass } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
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
      if (c.spec?.parameters) c.spec.parameters.scope ||= 'Cluster';
    },
    validate,
    validateUpdate: (next, old) => unchanged('spec.controller', next.spec?.controller, old.spec?.controller),
  },
};

function validate(c: IngressClass): FieldError[] {
  const { controller, parameters: p } = c.spec ?? {};
  const errors = controller
    ? invalidValues('spec.controller', controller, domainPrefixedPathFaults(controller))
    : [required('spec.controller')];
  if (!p) return errors;
  const path = 'spec.parameters';
  if (!p.kind) errors.push(required(`${path}.kind`));
  if (!p.name) errors.push(required(`${path}.name`));
  if (p.scope !== 'Cluster' && p.scope !== 'Namespace')
    errors.push(notSupported(`${path}.scope`, p.scope, ['Cluster', 'Namespace']));
  if (p.scope === 'Namespace' && !p.namespace)
    errors.push(required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'"));
  if (p.scope === 'Cluster' && p.namespace !== undefined)
    errors.push(forbiddenField(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'"));
  return errors;
}
