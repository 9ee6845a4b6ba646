import { parseCidr } from '../../../machinery/ip.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, required, unchanged } from '../../fields.ts';
import type { ServiceCIDR } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validateCidr } from '../../validation/network.ts';

export const serviceCidr: KindBehaviour<ServiceCIDR> = {
  cells: { CIDRs: (c) => (c.spec?.cidrs ?? []).join(',') },
  strategy: {
    validate(c) {
      const cidrs = c.spec?.cidrs ?? [];
      if (!cidrs.length) return [required('spec.cidrs', 'at least one CIDR required')];
      const errors: FieldError[] = [];
      const families = cidrs.map((cidr) => parseCidr(cidr)?.family);
      if (cidrs.length > 2) errors.push(invalidValue('spec', c.spec, 'may only hold up to 2 values'));
      else if (cidrs.length === 2 && families[0] !== undefined && families[0] === families[1])
        errors.push(
          invalidValue(
            'spec.cidrs',
            cidrs,
            'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
          ),
        );
      return [...errors, ...cidrs.flatMap((cidr, i) => validateCidr(`spec.cidrs[${i}]`, cidr))];
    },
    validateUpdate: (next, old) => unchanged('spec.cidrs', next.spec?.cidrs, old.spec?.cidrs),
  },
};
