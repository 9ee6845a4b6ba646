// For tests: nodes that renew their leases every 10 s unless they are silenced, with a pod each.

import type { Pod } from '../../api/api.ts';
import { microTimestamp, timestamp } from '../../client/client.ts';
import { at, type TestCluster } from '../shared/test-cluster.ts';

export interface TestNodes {
  /** Nodes that do not report. */
  readonly silent: Set<string>;
  /** Lets time pass; nodes that are not silent go on reporting. */
  pass(seconds: number): Promise<void>;
}

/** Creates nodes n0, n1, ... with the pods p0, p1, ... */
export async function startNodes({ client, clock }: TestCluster, count: number): Promise<TestNodes> {
  const silent = new Set<string>();
  const names = Array.from({ length: count }, (_, i) => `n${i}`);
  for (const name of names) await createNode({ client, clock }, name);
  return {
    silent,
    async pass(seconds) {
      const { items } = await client.list('nodes');
      for (let passed = 0; passed < seconds; passed += 10) {
        for (const { metadata } of items.filter(({ metadata }) => !silent.has(metadata.name))) {
          const body = { spec: { renewTime: microTimestamp(clock.now()) } };
          const lease = { namespace: 'kube-node-lease', name: metadata.name };
          await client.patch('leases', lease, { type: 'merge', body });
        }
        await clock.advance(Math.min(10, seconds - passed) * 1000);
      }
    },
  };
}

async function createNode({ client, clock }: Pick<TestCluster, 'client' | 'clock'>, name: string): Promise<void> {
  await client.create('nodes', { metadata: { name } });
  await client.create('leases', { metadata: { name, namespace: 'kube-node-lease' }, spec: { holderIdentity: name } });
  const now = timestamp(clock.now());
  const state = { type: 'Ready', status: 'True', lastTransitionTime: now };
  const conditions = [{ ...state, lastHeartbeatTime: now, reason: 'KubeletReady' }];
  await client.patch('nodes', { name }, { type: 'merge', body: { status: { conditions } } }, { subresource: 'status' });
  const pod = name.replace('n', 'p');
  const tolerations = ['not-ready', 'unreachable'].map((suffix) => ({
    key: `node.kubernetes.io/${suffix}`,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 300,
  }));
  const spec = { nodeName: name, containers: [{ name: 'c', image: 'i' }], tolerations };
  await client.create('pods', { metadata: at(pod), spec } as Partial<Pod> as Pod);
  const body = { status: { phase: 'Running', startTime: now, conditions: [state] } };
  await client.patch('pods', at(pod), { type: 'merge', body }, { subresource: 'status' });
}
