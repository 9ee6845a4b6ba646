import { dns1123SubdomainFaults, pathSegmentFaults } from '../../../machinery/text/names.ts';
import { required, unchanged } from '../../fields.ts';
import type { IPAddress } from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import type { KindBehaviour } from '../../kind.ts';
import { canonicalIpFault } from '../../validation/network.ts';
import { given, needed, struct, text } from '../../validation/rules.ts';

export const ipAddress: KindBehaviour<IPAddress> = {
  cells: {
    ParentRef: (a) => {
      const { resource = '', group = '', namespace = '', name = '' } = a.spec?.parentRef ?? {};
      return `${[resource, group].filter(Boolean).join('.')}/${[namespace, name].filter(Boolean).join('/')}`;
    },
  },
  strategy: {
    nameRule: (name) => [canonicalIpFault(name)].filter((fault) => fault !== undefined),
    metadataOnUpdate: ['whole', 'change'],
    validate: (a) => validate(a),
    validateUpdate: (next, old) => [
      ...validate(next),
      ...unchanged('spec.parentRef', internalParent(next), internalParent(old)),
    ],
  },
};

const segment = text(pathSegmentFaults);

const parent = struct({
  group: given(text(dns1123SubdomainFaults)),
  resource: needed(segment),
  name: needed(segment),
  namespace: given(segment),
});

const validate = ({ spec }: IPAddress) =>
  spec?.parentRef ? parent(spec.parentRef, 'spec.parentRef') : [required('spec.parentRef')];

const internalParent = ({ spec }: IPAddress) => internal('*networking.ParentReference', spec?.parentRef);
