import { parseCidr } from '../../../machinery/ip.ts';
import type { FieldError } from '../../errors.ts';
import { immutableField, invalidValue, required, unchanged } from '../../fields.ts';
import type { ServiceCIDR } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { canonicalCidr } from '../../validation/network.ts';
import { keepMetadata } from '../keep-metadata.ts';

export const serviceCidr: KindBehaviour<ServiceCIDR> = {
  cells: { CIDRs: (c) => (c.spec?.cidrs ?? []).join(',') },
  strategy: {
    validate: (c) => validateCidrs(c.spec?.cidrs),
    validateUpdate(next, old) {
      const path = 'spec.cidrs';
      const [cidrs, before] = [next.spec?.cidrs ?? [], old.spec?.cidrs ?? []];
      const isWidened = before.length === 1 && cidrs.length === 2;
      if (cidrs.length !== before.length && !isWidened) return [immutableField(path, next.spec?.cidrs)];
      return [
        ...before.flatMap((cidr, i) => unchanged(`${path}[${i}]`, cidrs[i], cidr)),
        ...(isWidened ? validateCidrs(cidrs) : []),
      ];
    },
    subresources: { status: { resetFields: [['metadata']], prepareForUpdate: keepMetadata } },
  },
};

function validateCidrs(cidrs: readonly string[] = []): FieldError[] {
  const path = 'spec.cidrs';
  if (!cidrs.length) return [required(path, 'at least one CIDR required')];
  if (cidrs.length > 2) return [invalidValue(path, { CIDRs: cidrs }, 'may only hold up to 2 values')];
  const errors = cidrs.flatMap((cidr, i) => canonicalCidr(`${path}[${i}]`, cidr));
  const families = cidrs.map((cidr) => parseCidr(cidr)?.family);
  if (cidrs.length === 2 && families[0] !== undefined && families[0] === families[1])
    errors.push(
      invalidValue(
        path,
        cidrs,
        'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
      ),
    );
  return errors;
}
