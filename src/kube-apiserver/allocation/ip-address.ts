// The IPAddress objects, which record the service of each cluster IP.
// https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/ip-address-v1/

import type { ApiObject } from '../../api/api.ts';
import { canonicalIpText, parseIp } from '../../machinery/ip.ts';
import { asserted } from '../../machinery/parsed.ts';
import type { Random } from '../../machinery/random.ts';
import { timestamp } from '../timestamp.ts';
import { serialize } from '../watch-cache/item.ts';
import type { ObjectWrite } from '../watch-cache/watch-cache.ts';

/** Their names are addresses in canonical form. Stored services may have leading zeros. */
export const addressKey = (address: string): string => `/registry/ipaddresses/${canonicalIpText(address)}`;

export function addressObject(
  address: string,
  service: ApiObject,
  { random, now }: { random: Random; now(): number },
): ObjectWrite {
  const { namespace, name } = service.metadata;
  const written = {
    kind: 'IPAddress',
    apiVersion: 'networking.k8s.io/v1',
    metadata: {
      name: canonicalIpText(address),
      uid: random.uuid(),
      resourceVersion: undefined,
      creationTimestamp: timestamp(now()),
      labels: {
        'ipaddress.kubernetes.io/ip-family': `IPv${parseIp(address)?.family}`,
        'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
      },
    },
    spec: { parentRef: { resource: 'services', namespace, name } },
  };
  const object = asserted<ApiObject>(written, 'the store gives the resourceVersion, whose place is kept');
  // Another server may be giving the same address to another service.
  return { key: addressKey(address), object, serialized: serialize(object), expected: 0 };
}

export const removalOf = (address: string): ObjectWrite => ({ key: addressKey(address) });
