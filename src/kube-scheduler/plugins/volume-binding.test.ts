import { describe, expect, test } from 'vitest';
import type { PersistentVolumeClaim, Pod } from '../../api/api.ts';
import { seededRandom } from '../../machinery/random.ts';
import { SchedulingCycle, unschedulableMessage } from '../cycle.ts';
import { podInfo } from '../pod-info.ts';
import { cacheOf, node, pod } from '../test-objects.ts';
import { defaultPlugins } from './plugins.ts';
import { volumeBinding } from './volume-binding.ts';

const bound = { 'pv.kubernetes.io/bind-completed': 'yes' };
const claim = (name: string, spec: object = {}, { status, ...metadata }: any = {}) =>
  ({ metadata: { name, namespace: 'default', ...metadata }, spec, status }) as unknown as PersistentVolumeClaim;
const onNode = (name: string) => ({
  spec: {
    nodeAffinity: {
      required: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [name] }] }],
      },
    },
  },
});
const using = (claimName: string): Pod => pod({}, { volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }] });
const ephemeral = (): Pod => pod({}, { volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: {} } }] });

interface Storage {
  readonly claims?: readonly PersistentVolumeClaim[];
  readonly volumes?: Readonly<Record<string, object>>;
  readonly classes?: Readonly<Record<string, object>>;
}

function decide(wanted: Pod, { claims = [], volumes = {}, classes = {} }: Storage): string {
  const cache = cacheOf([node('a'), node('b')]);
  cache.storage = {
    claim: (_namespace, name) => claims.find(({ metadata }) => metadata.name === name),
    volume: (name) => volumes[name] as any,
    class: (name) => classes[name] as any,
  };
  const result = new SchedulingCycle(defaultPlugins, seededRandom(1)).run(podInfo(wanted), cache);
  return result.ok ? result.node : unschedulableMessage(2, result);
}

const all = '0/2 nodes are available: ';

describe('a pod with a claim', () => {
  test.each<[string, Pod, Storage, string]>([
    ['that is missing', using('c'), {}, `${all}persistentvolumeclaim "c" not found.`],
    [
      'that is not bound',
      using('c'),
      { claims: [claim('c')] },
      `${all}pod has unbound immediate PersistentVolumeClaims.`,
    ],
    [
      'that names a volume but is not bound yet',
      using('c'),
      { claims: [claim('c', { volumeName: 'v' })], volumes: { v: {} } },
      `${all}pod has unbound immediate PersistentVolumeClaims.`,
    ],
    [
      'that goes',
      using('c'),
      { claims: [claim('c', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' })] },
      `${all}persistentvolumeclaim "c" is being deleted.`,
    ],
    [
      'that lost its volume',
      using('c'),
      { claims: [claim('c', { volumeName: 'v' }, { annotations: bound, status: { phase: 'Lost' } })] },
      `${all}persistentvolumeclaim "c" bound to non-existent persistentvolume "v".`,
    ],
    [
      'that waits for its first pod',
      using('c'),
      {
        claims: [claim('c', { storageClassName: 'late' })],
        classes: { late: { volumeBindingMode: 'WaitForFirstConsumer' } },
      },
      `${all}2 node(s) didn't find available persistent volumes to bind.`,
    ],
    [
      'whose volume no node reaches',
      using('c'),
      { claims: [claim('c', { volumeName: 'v' }, { annotations: bound })], volumes: { v: onNode('z') } },
      `${all}2 node(s) didn't match PersistentVolume's node affinity.`,
    ],
    [
      'whose volume is missing',
      using('c'),
      { claims: [claim('c', { volumeName: 'v' }, { annotations: bound })] },
      `${all}2 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s).`,
    ],
  ])('%s waits', (_, wanted, storage, message) => {
    expect(decide(wanted, storage)).toBe(message);
  });

  test("that is bound restricts the pod to its volume's nodes", () => {
    const claims = [claim('c', { volumeName: 'v' }, { annotations: bound })];
    expect(decide(using('c'), { claims, volumes: { v: onNode('b') } })).toBe('b');
  });

  test('of an ephemeral volume waits for it to be made for this pod', () => {
    const wanted = ephemeral();
    const name = `${wanted.metadata.name}-v`;
    expect(decide(wanted, {})).toBe(
      `${all}waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}".`,
    );
    expect(decide(wanted, { claims: [claim(name)] })).toContain('was not created for pod');
    const ownerReferences = [{ uid: wanted.metadata.uid, controller: true }];
    const claims = [claim(name, { volumeName: 'v' }, { annotations: bound, ownerReferences })];
    expect(decide(wanted, { claims, volumes: { v: { spec: {} } } })).toMatch(/^[ab]$/);
  });

  test('wakes when the claim changes, not with claims of others', () => {
    const info = podInfo(using('c'));
    const wakes = (name: string) => volumeBinding.wakes?.({ type: 'claim-changed', claim: claim(name) }, info);
    expect([wakes('c'), wakes('other')]).toEqual([true, false]);
  });
});
