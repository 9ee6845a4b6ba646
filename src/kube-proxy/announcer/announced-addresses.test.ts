import { expect, test } from 'vitest';
import type { EndpointSlice, Service } from '../../api/api.ts';
import { announcedAddresses } from './announced-addresses.ts';

const service = (spec: object = {}, annotations: object = { 'coracle.local/announce-load-balancer': 'true' }) =>
  ({
    metadata: { namespace: 'ns', name: 'web', annotations },
    spec: {
      ...{ type: 'LoadBalancer', clusterIP: '10.96.0.5', clusterIPs: ['10.96.0.5'] },
      ports: [
        { name: 'a', port: 80 },
        { name: 'b', port: 443 },
      ],
      externalIPs: ['203.0.113.1'],
      ...spec,
    },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.200', ipMode: 'VIP' }] } },
  }) as unknown as Service;
const slice = (name: string, nodeName: string, ready = true) =>
  ({
    metadata: { namespace: 'ns', labels: { 'kubernetes.io/service-name': name } },
    endpoints: [{ addresses: ['10.244.0.2'], nodeName, conditions: { ready } }],
  }) as unknown as EndpointSlice;
const slices = [slice('web', 'a'), slice('web', 'b', false), slice('other', 'c')];

test.each<[string, Service, object[]]>([
  ['each address once, on any node', service(), [{ ip: '192.0.2.200', nodes: undefined }]],
  [
    'with policy Local on nodes with endpoints',
    service({ externalTrafficPolicy: 'Local' }),
    [{ ip: '192.0.2.200', nodes: new Set(['a']) }],
  ],
  ['none without the annotation', service({}, {}), []],
])('announced addresses: %s', (_, given, wanted) =>
  expect(announcedAddresses([given], slices).map(({ ip, nodes }) => ({ ip, nodes }))).toEqual(wanted),
);
