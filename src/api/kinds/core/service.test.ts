import { describe, expect, test } from 'vitest';
import type { Service } from '../../generated/types.ts';
import { service } from './service.ts';

const update = (old: object, next: object) => {
  const make = (spec: object) => structuredClone({ metadata: { name: 's' }, spec }) as unknown as Service;
  const changed = make(next);
  service.strategy!.prepareForUpdate!(changed, make(old), {} as never);
  return changed.spec!;
};

describe('node ports of an update that leaves them out', () => {
  const old = {
    type: 'NodePort',
    ports: [
      { name: 'http', port: 80, protocol: 'TCP', nodePort: 30_080 },
      { name: 'https', port: 443, protocol: 'TCP', nodePort: 30_443 },
    ],
  };
  test.each([
    { case: 'stay', ports: [{ name: 'http', port: 80 }], nodePorts: [30_080] },
    { case: 'stay with the name when the number changes', ports: [{ name: 'http', port: 8080 }], nodePorts: [30_080] },
    {
      case: 'stay when the protocol changes',
      ports: [{ name: 'http', port: 80, protocol: 'UDP' }],
      nodePorts: [30_080],
    },
    { case: 'go with the name', ports: [{ name: 'web', port: 80 }], nodePorts: [undefined] },
    {
      case: 'follow their names when these are exchanged',
      ports: [
        { name: 'https', port: 80 },
        { name: 'http', port: 443 },
      ],
      nodePorts: [30_443, 30_080],
    },
    {
      case: 'are not given twice',
      ports: [
        { name: 'http', port: 80 },
        { name: 'web', port: 81, nodePort: 30_080 },
      ],
      nodePorts: [undefined, 30_080],
    },
    {
      case: 'stay for a load balancer',
      type: 'LoadBalancer',
      ports: [{ name: 'http', port: 80 }],
      nodePorts: [30_080],
    },
    {
      case: 'are not kept for a load balancer without any',
      type: 'LoadBalancer',
      allocateLoadBalancerNodePorts: false,
      ports: [{ name: 'http', port: 80 }],
      nodePorts: [undefined],
    },
  ])('$case', ({ case: _, nodePorts, ...spec }) => {
    expect(update(old, { type: 'NodePort', ...spec }).ports!.map((port) => port.nodePort)).toEqual(nodePorts);
  });

  test('a single unnamed port keeps its node port, with any number', () => {
    const one = { type: 'NodePort', ports: [{ port: 80, nodePort: 30_080 }] };
    expect(update(one, { type: 'NodePort', ports: [{ port: 8080 }] }).ports).toEqual([
      { port: 8080, nodePort: 30_080 },
    ]);
  });
});

test.each([
  { type: 'clusterip', spec: { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'] }, kept: true },
  { type: 'ExternalName', spec: { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'] }, kept: false },
  { type: 'ExternalName', spec: { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.9'] }, kept: true },
])('addresses of a service that becomes $type, with $spec, stay: $kept', ({ type, spec, kept }) => {
  const old = { type: 'ClusterIP', clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'] };
  expect(update(old, { ...spec, type }).clusterIPs !== undefined).toBe(kept);
});
