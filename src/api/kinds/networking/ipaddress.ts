import { parseIp } from '../../../machinery/ip.ts';
import { required, unchanged } from '../../fields.ts';
import type { IPAddress } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';

export const ipAddress: KindBehaviour<IPAddress> = {
  cells: {
    ParentRef: (a) => {
      const { resource = '', group = '', namespace = '', name = '' } = a.spec?.parentRef ?? {};
      return `${[resource, group].filter(Boolean).join('.')}/${[namespace, name].filter(Boolean).join('/')}`;
    },
  },
  strategy: {
    nameRule: (name) => (parseIp(name) ? [] : ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']),
    validate: (a) =>
      a.spec?.parentRef
        ? [
            ...(a.spec.parentRef.resource ? [] : [required('spec.parentRef.resource')]),
            ...(a.spec.parentRef.name ? [] : [required('spec.parentRef.name')]),
          ]
        : [required('spec.parentRef')],
    validateUpdate: (next, old) => unchanged('spec.parentRef', next.spec?.parentRef, old.spec?.parentRef),
  },
};
