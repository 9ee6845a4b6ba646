// Controllers share the API server's event loop: none may hold it for as long as users' objects are large.

import { expect, test } from 'vitest';
import type { KubeObject } from '../api/api.ts';
import { longestTurn } from '../machinery/time/test-turn.ts';
import { clusterroleAggregation } from './clusterrole-aggregation.ts';
import { disruption } from './disruption.ts';
import { endpoints } from './endpoints/endpoints.ts';
import { endpointslice } from './endpoints/endpointslice.ts';
import { GarbageGraph } from './garbagecollector/graph.ts';
import { resourcequota } from './resourcequota.ts';
import type { DiscoveredResource } from './shared/discovery.ts';
import { reconcileOnce } from './test-turns.ts';

const longestMs = 250;
const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

const pod = (index: number) => ({
  metadata: { namespace: 'x', name: `p${index}`, uid: `u${index}`, labels: { app: 'a' } },
  spec: { containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 1 + (index % 50) }] }] },
  status: { phase: 'Running', podIPs: [{ ip: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}` }] },
});
const service = {
  metadata: { namespace: 'x', name: 's', uid: 's' },
  spec: {
    clusterIP: 'None',
    selector: { app: 'a' },
    ports: many(1_000, (i) => ({ name: `p${i}`, port: i + 1, targetPort: i === 0 ? 'web' : i + 1 })),
  },
};

test.each([
  ['Endpoints', endpoints, 1],
  ['EndpointSlices', endpointslice, 50 * 2],
])(
  '%s of 1,000 ports and 10,000 pods',
  async (_, controller, count) => {
    let writes: unknown[] = [];
    const objects = { services: [service], pods: many(10_000, pod) };
    const waitMs = await longestTurn(async () => (writes = await reconcileOnce(controller, 'x/s', objects)));
    expect(writes).toHaveLength(count);
    expect(waitMs).toBeLessThan(longestMs);
  },
  60_000,
);

test('20,000 owners of one object', async () => {
  const resource = { group: '', resource: 'configmaps', kind: 'ConfigMap' } as DiscoveredResource;
  const owned = (from: number): KubeObject => {
    const ownerReferences = many(20_000, (i) => ({
      ...{ apiVersion: 'v1', kind: 'ConfigMap' },
      name: 'o',
      uid: `o${from + i}`,
    }));
    return {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'm', uid: 'm', ownerReferences },
    } as unknown as KubeObject;
  };
  const graph = new GarbageGraph();
  graph.put(resource, owned(0));
  const waitMs = await longestTurn(async () => {
    graph.disown('m', owned(0), owned(1));
    graph.put(resource, owned(1));
  });
  expect(graph.dependentsOf('o0')).toEqual([]);
  expect(graph.dependentsOf('o1')).toHaveLength(1);
  expect(waitMs).toBeLessThan(longestMs);
});

test('a role that is the sum of 500 roles with 100 rules each', async () => {
  const rule = (i: number) => ({ apiGroups: ['a.io'], resources: [`r${i}`], verbs: ['get'] });
  const clusterroles = [
    { metadata: { name: 'sum' }, aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] } },
    ...many(500, (i) => ({
      metadata: { name: `r${i}`, labels: { a: 'b' } },
      rules: many(100, (k) => rule(i * 50 + k)),
    })),
  ];
  let writes: any[] = [];
  const waitMs = await longestTurn(
    async () => (writes = await reconcileOnce(clusterroleAggregation, 'sum', { clusterroles })),
  );
  expect(writes[0].rules).toHaveLength(500 * 50 + 50);
  expect(waitMs).toBeLessThan(longestMs);
}, 60_000);

test('a budget with 20,000 evicted pods', async () => {
  const time = new Date().toISOString();
  const disruptedPods = Object.fromEntries(many(20_000, (i) => [`gone${i}`, time]));
  const budget = {
    metadata: { namespace: 'x', name: 'b', uid: 'b' },
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'a' } } },
    status: { disruptedPods },
  };
  const objects = { poddisruptionbudgets: [budget], pods: many(10_000, pod) };
  const waitMs = await longestTurn(() => reconcileOnce(disruption, 'x/b', objects));
  expect(waitMs).toBeLessThan(longestMs);
}, 60_000);

test('a quota of 3,000 claims that each name another class', async () => {
  const quota = { metadata: { namespace: 'x', name: 'q', uid: 'q' }, spec: { hard: { persistentvolumeclaims: '5' } } };
  const claim = (i: number) => ({
    metadata: { namespace: 'x', name: `c${i}` },
    spec: { storageClassName: `class${i}`, resources: { requests: { storage: '1Gi' } } },
  });
  const objects = { resourcequotas: [quota], persistentvolumeclaims: many(3_000, claim) };
  let writes: any[] = [];
  const waitMs = await longestTurn(async () => (writes = await reconcileOnce(resourcequota, 'x/q', objects)));
  expect(writes[0].status.used).toEqual({ persistentvolumeclaims: '3k' });
  expect(waitMs).toBeLessThan(longestMs);
}, 60_000);
