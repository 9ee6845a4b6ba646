import { expect, test } from 'vitest';
import type { Pod } from '../api/api.ts';
import { isolate } from './isolation.ts';
import { policyPod } from './policy-pod.ts';
import { policy, world } from './test-world.ts';

test('rules of reduced pods are those of whole pods', () => {
  const policies = [
    policy({}, { ingress: [{ ports: [{ port: 'serve-80-tcp' }, { port: 'side' }] }], egress: [] }),
    policy({ pod: 'b' }, { ingress: [{ from: [{ podSelector: { matchLabels: { pod: 'c' } } }] }] }, { namespace: 'y' }),
  ];
  const changes = { 'x/b': { hostNetwork: true }, 'x/c': { phase: 'Failed' }, 'x/d': { podIPs: [] } };
  const state = world('x/a x/b x/c x/d y/b y/c', policies, { pods: changes });
  const sidecar = { name: 'side', restartPolicy: 'Always', ports: [{ name: 'side', containerPort: 9 }] };
  const pods = state.pods.map((pod, i) => ({
    ...pod,
    metadata: { ...pod.metadata, ...(i === 0 && { deletionTimestamp: '2026-01-01T00:00:00Z' }) },
    spec: { ...pod.spec, initContainers: [sidecar] },
    status: {
      ...pod.status,
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'PodReadyToStartContainers', status: i === 4 ? 'False' : 'True' },
      ],
    },
  })) as unknown as Pod[];
  const of = (some: Parameters<typeof isolate>[0]['pods']) =>
    isolate({ ...state, pods: some, nodeNames: ['n1', 'n2'] });
  expect(of(pods)?.namedPorts.get('tcp serve-80-tcp,side')).toContainEqual({ address: '10.244.1.2', port: 9 });
  expect(of(pods.map(policyPod))).toEqual(of(pods));
});

test('a reduced pod has no other fields', () => {
  const [pod] = world('x/a', []).pods;
  const large = {
    ...pod,
    spec: { ...pod.spec, volumes: [{}] },
    status: { ...pod.status, conditions: [{ type: 'Ready' }] },
  };
  expect(policyPod(large as unknown as Pod)).toEqual({
    metadata: { name: 'a', namespace: 'x', labels: { pod: 'a' } },
    spec: { nodeName: 'n1', containers: [{ name: 'c', resources: {}, ports: expect.any(Array) }], initContainers: [] },
    status: { phase: 'Running', podIPs: pod.status?.podIPs, conditions: [] },
  });
});
