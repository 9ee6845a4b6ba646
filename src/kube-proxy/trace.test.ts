import { expect, test } from 'vitest';
import type { EndpointSlice, Node, Service } from '../api/api.ts';
import { type PortTrace, traceService } from './trace.ts';

const service = (spec: object = {}) =>
  ({
    metadata: { namespace: 'ns', name: 'web' },
    spec: {
      type: 'LoadBalancer',
      clusterIP: '10.96.0.5',
      clusterIPs: ['10.96.0.5'],
      ports: [{ port: 80, protocol: 'TCP', nodePort: 30_080 }],
      loadBalancerSourceRanges: ['10.0.0.0/8'],
      ...spec,
    },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.200', ipMode: 'VIP' }] } },
  }) as unknown as Service;
const slices = (isReady = true) =>
  [
    {
      metadata: { namespace: 'ns', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      ports: [{ name: '', port: 8080 }],
      endpoints: [
        {
          addresses: ['10.244.0.2'],
          nodeName: 'a',
          conditions: { ready: isReady, serving: isReady },
          targetRef: { kind: 'Pod', name: 'web-1' },
        },
      ],
    },
  ] as unknown as EndpointSlice[];
const nodes = ['a', 'b'].map((name) => ({ metadata: { name } })) as unknown as Node[];
const trace = (spec: object, from?: string, isReady = true): PortTrace =>
  traceService({ service: service(spec), slices: slices(isReady), nodes, ...(from && { from }) })[0];

test('each hop of a connection', () => {
  expect(trace({})).toMatchObject({
    ...{ port: 80, protocol: 'tcp', balancers: ['192.0.2.200'], clusterIPs: ['10.96.0.5'], nodePort: 30_080 },
    rules: { inside: expect.stringMatching(/^service-.*-ns-web-$/), outside: expect.stringMatching(/^external-/) },
    endpoints: [{ address: '10.244.0.2:8080', node: 'a', isReady: true, pod: 'web-1' }],
    droppingNodes: [],
  });
});

test.each<[string, object, string | undefined, boolean, RegExp | undefined]>([
  ['not a client of the source ranges', {}, '10.1.2.3', true, undefined],
  ['a client outside of the source ranges', {}, '192.0.2.9', true, /^192\.0\.2\.9 is in none of .*10\.0\.0\.0\/8$/],
  ['no unknown client', {}, undefined, true, undefined],
  ['no client without source ranges', { loadBalancerSourceRanges: [] }, '192.0.2.9', true, undefined],
  ['all without endpoints', {}, '10.1.2.3', false, /no endpoints that are ready/],
])('the rules refuse %s', (_, spec, from, isReady, wanted) => {
  const { refusal } = trace(spec, from, isReady);
  if (wanted) expect(refusal?.reason).toMatch(wanted);
  else expect(refusal).toBeUndefined();
});

test('externalTrafficPolicy Local: nodes without endpoints drop', () =>
  expect(trace({ externalTrafficPolicy: 'Local' }).droppingNodes).toEqual(['b']));
