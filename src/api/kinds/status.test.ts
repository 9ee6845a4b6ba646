// Status that a client writes, where a kind's rule is not only that of its fields.

import { expect, test } from 'vitest';
import { type FaultRow, faultFinder } from './test-faults.ts';

test.each<[resource: string, base: object, ...FaultRow]>([
  [
    'batch/v1/jobs',
    { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } } },
    'status.active',
    -1,
    ['status.active: Invalid value: -1: must be greater than or equal to 0'],
  ],
  [
    'resource.k8s.io/v1/resourceclaims',
    { spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c' } }] } } },
    'status.devices',
    [{ driver: 'a.b', pool: 'p', device: 'd' }],
    [
      'status.devices[0]: Invalid value: {"Driver":"a.b","Pool":"p","Device":"d","ShareID":""}: must be an allocated device in the claim',
    ],
  ],
])('%s: %j: %s = %j', (resource, base, path, value, faults) =>
  expect(faultFinder(resource, base, 'status').onUpdate(path, value)).toEqual(faults),
);
