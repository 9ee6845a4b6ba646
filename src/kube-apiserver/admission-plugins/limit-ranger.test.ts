// Cases after plugin/pkg/admission/limitranger/admission_test.go of Kubernetes.

import { describe, expect, test } from 'vitest';
import type { LimitRangeItem, Pod } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { AdmissionAttributes } from '../admission.ts';
import { limitRanger } from './limit-ranger.ts';

type Item = Partial<LimitRangeItem>;
type Attributes = Partial<Record<keyof AdmissionAttributes, unknown>>;
const kindOf = (kind: string) => ({ group: '', resource: `${kind.toLowerCase()}s`, kind });

/** "cpu=100m memory=1Gi". */
const amounts = (text: string): Record<string, string> =>
  Object.fromEntries(text.split(' ').flatMap((pair) => (pair ? [pair.split('=')] : [])));

/** The text before the slash has the requests, the one behind it the limits. */
const resources = (text: string) => {
  const [requests, limits = ''] = text.split('/');
  return { resources: { requests: amounts(requests), limits: amounts(limits) } };
};

/** A pod with these containers. */
const podOf = (containers: readonly string[], init: readonly string[] = [], spec: object = {}): Pod =>
  ({
    metadata: { name: 'web', namespace: 'ns' },
    spec: {
      containers: containers.map((text, i) => ({ name: `foo-${i}`, ...resources(text) })),
      initContainers: init.map((text, i) => ({ name: `init-${i}`, ...resources(text) })),
      ...spec,
    },
  }) as unknown as Pod;

/** The refusal, or undefined. The pod gets its defaults first. */
async function ask(items: readonly Item[], object: object, given: Attributes = {}): Promise<string | undefined> {
  const client = { list: async () => ({ items: [{ spec: { limits: items } }] }) } as unknown as Client;
  const plugin = limitRanger(() => client);
  const attributes = {
    ...{ operation: 'CREATE', kind: kindOf('Pod'), subresource: '', namespace: 'ns', name: 'web', object, ...given },
  } as unknown as AdmissionAttributes;
  try {
    await plugin.admit?.(attributes);
    await plugin.validate?.(attributes);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const forbiddenPod = 'pods "web" is forbidden:';

describe('defaults of containers', () => {
  const item = {
    type: 'Container',
    defaultRequest: amounts('cpu=50m memory=5Mi'),
    default: amounts('cpu=75m memory=10Mi'),
  };
  test.each([
    [
      'a container without resources',
      '',
      'cpu=50m memory=5Mi/cpu=75m memory=10Mi',
      'cpu, memory request for container foo-0; cpu, memory limit for container foo-0',
    ],
    [
      'a container with one request',
      'memory=512Mi/memory=1Gi',
      'cpu=50m memory=512Mi/cpu=75m memory=1Gi',
      'cpu request for container foo-0; cpu limit for container foo-0',
    ],
    ['a container with all of them', 'cpu=100m memory=512Mi/cpu=200m memory=1G', undefined, undefined],
  ])('%s', async (_, given, wanted, added) => {
    const pod = podOf([given]);
    expect(await ask([item], pod)).toBeUndefined();
    expect(pod.spec.containers[0]).toMatchObject(resources(wanted ?? given));
    expect(pod.metadata.annotations?.['kubernetes.io/limit-ranger']).toBe(added && `LimitRanger plugin set: ${added}`);
  });

  test('main containers come before init containers in the annotation', async () => {
    const pod = podOf(['cpu=1/cpu=1'], ['memory=1Gi/memory=1Gi']);
    await ask([item], pod);
    expect(pod.spec.initContainers?.[0]).toMatchObject(resources('cpu=50m memory=1Gi/cpu=75m memory=1Gi'));
    expect(pod.metadata.annotations?.['kubernetes.io/limit-ranger']).toBe(
      'LimitRanger plugin set: memory request for container foo-0; memory limit for container foo-0; cpu request for init container init-0; cpu limit for init container init-0',
    );
  });

  test('other annotations stay', async () => {
    const pod = podOf(['']);
    pod.metadata.annotations = { own: 'x' };
    await ask([item], pod);
    expect(pod.metadata.annotations).toMatchObject({ own: 'x' });
  });
});

describe('bounds of containers', () => {
  const min = (text: string) => ({ type: 'Container', min: amounts(text) });
  const max = (text: string) => ({ type: 'Container', max: amounts(text) });
  const ratio = (text: string) => ({ type: 'Container', maxLimitRequestRatio: amounts(text) });
  const isCpu = 'cpu max limit to request ratio per Container is';

  test.each<[Item, string, string | undefined]>([
    [min('cpu=50m'), 'cpu=100m', undefined],
    [min('cpu=50m'), 'cpu=100m/cpu=200m', undefined],
    [min('memory=50Mi'), 'memory=60Mi/memory=100Mi', undefined],
    [min('cpu=50m'), 'cpu=40m', 'minimum cpu usage per Container is 50m, but request is 40m'],
    [min('cpu=50m'), 'cpu=50m/cpu=40m', 'minimum cpu usage per Container is 50m, but limit is 40m'],
    [min('cpu=50m'), '', 'minimum cpu usage per Container is 50m.  No request is specified'],
    [min('cpu=50m'), '/cpu=1', 'minimum cpu usage per Container is 50m.  No request is specified'],
    [max('cpu=2'), 'cpu=500m/cpu=1', undefined],
    [max('cpu=2'), '/cpu=1', undefined],
    [max('cpu=2'), '/cpu=2', undefined],
    [max('cpu=2'), 'cpu=500m/cpu=2500m', 'maximum cpu usage per Container is 2, but limit is 2500m'],
    [max('cpu=2'), 'cpu=3/cpu=1', 'maximum cpu usage per Container is 2, but request is 3'],
    [max('cpu=2'), '', 'maximum cpu usage per Container is 2.  No limit is specified'],
    [max('memory=1Gi'), 'memory=250Mi/memory=2Gi', 'maximum memory usage per Container is 1Gi, but limit is 2Gi'],
    [ratio('cpu=1500m'), 'cpu=500m/cpu=750m', undefined],
    [ratio('cpu=1'), 'cpu=1250m/cpu=2500m', `${isCpu} 1, but provided ratio is 2.000000`],
    [ratio('cpu=2'), '/cpu=1', `${isCpu} 2, but no request is specified or request is 0`],
    [ratio('cpu=2'), 'cpu=0/cpu=1', `${isCpu} 2, but no request is specified or request is 0`],
    [ratio('cpu=2'), 'cpu=1', `${isCpu} 2, but no limit is specified or limit is 0`],
  ])('%j and %j: %s', async (item, given, fault) => {
    expect(await ask([item], podOf([given]))).toBe(fault && `${forbiddenPod} ${fault}`);
    expect(await ask([item], podOf([], [given]))).toBe(fault && `${forbiddenPod} ${fault}`);
  });

  test('several faults are a list', async () =>
    expect(await ask([min('cpu=1')], podOf(['', 'cpu=1m', 'cpu=1']))).toBe(
      `${forbiddenPod} [minimum cpu usage per Container is 1.  No request is specified, minimum cpu usage per Container is 1, but request is 1m]`,
    ));
});

describe('bounds of pods', () => {
  const min = (text: string) => ({ type: 'Pod', min: amounts(text) });
  const max = (text: string) => ({ type: 'Pod', max: amounts(text) });
  const sidecar = { initContainers: [{ name: 's', restartPolicy: 'Always', ...resources('cpu=50m/cpu=2') }] };

  test.each<[string, Item, Pod, string | undefined]>([
    ['the containers together', min('cpu=100m'), podOf(['cpu=75m', 'cpu=75m']), undefined],
    ['one container', min('cpu=100m'), podOf(['cpu=75m']), 'minimum cpu usage per Pod is 100m, but request is 75m'],
    ['a large init container', min('memory=100Mi'), podOf(['memory=60Mi'], ['memory=100Mi']), undefined],
    ['two limits', max('cpu=2'), podOf(['/cpu=1', '/cpu=1']), undefined],
    [
      'three limits',
      max('cpu=2'),
      podOf(['/cpu=1', '/cpu=1', '/cpu=1']),
      'maximum cpu usage per Pod is 2, but limit is 3',
    ],
    [
      'the limit of an init container',
      max('memory=1Gi'),
      podOf(['/memory=500Mi'], ['/memory=1536Mi']),
      'maximum memory usage per Pod is 1Gi, but limit is 1536Mi',
    ],
    ['a sidecar', min('cpu=100m'), podOf(['cpu=50m'], [], sidecar), undefined],
    [
      'the limit of a sidecar',
      max('cpu=2'),
      podOf(['/cpu=1'], [], sidecar),
      'maximum cpu usage per Pod is 2, but limit is 3',
    ],
    ['resources of the pod', max('cpu=2'), podOf([''], [], resources('cpu=1/cpu=2')), undefined],
    [
      'large resources of the pod',
      max('cpu=2'),
      podOf(['cpu=1/cpu=1'], [], resources('cpu=1/cpu=3')),
      'maximum cpu usage per Pod is 2, but limit is 3',
    ],
    ['overhead', max('cpu=2'), podOf(['cpu=1/cpu=2'], [], { overhead: amounts('cpu=1') }), undefined],
  ])('%s', async (_, item, pod, fault) => expect(await ask([item], pod)).toBe(fault && `${forbiddenPod} ${fault}`));
});

describe('claims', () => {
  const item = { type: 'PersistentVolumeClaim', min: amounts('storage=1Gi'), max: amounts('storage=10Gi') };
  const claim = (text: string) => ({ metadata: { name: 'web' }, spec: resources(text) });
  const kind = kindOf('PersistentVolumeClaim');
  const refused = 'persistentvolumeclaims "web" is forbidden:';

  test.each<[Item, string, string | undefined]>([
    [item, 'storage=5Gi', undefined],
    [item, 'storage=500Mi', 'minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi'],
    [item, 'storage=11Gi', 'maximum storage usage per PersistentVolumeClaim is 10Gi, but request is 11Gi'],
    [
      { type: 'PersistentVolumeClaim', max: amounts('storage=10Gi') },
      '',
      'maximum storage usage per PersistentVolumeClaim is 10Gi.  No request is specified',
    ],
    [{ ...item, maxLimitRequestRatio: amounts('storage=1') }, 'storage=5Gi', undefined],
    [{ type: 'Pod', max: amounts('storage=1Gi') }, 'storage=5Gi', undefined],
  ])('%j and %j: %s', async (bounds, given, fault) => {
    const wanted = fault && `${refused} ${fault}`;
    expect(await ask([bounds], claim(given), { kind })).toBe(wanted);
    expect(await ask([bounds], claim(given), { kind, operation: 'UPDATE', oldObject: claim('storage=1Gi') })).toBe(
      wanted,
    );
  });

  test('their status is not checked', async () =>
    expect(
      await ask([item], claim('storage=11Gi'), { kind, operation: 'UPDATE', subresource: 'status' }),
    ).toBeUndefined());
});

describe('operations', () => {
  const item = { type: 'Container', max: amounts('cpu=1') };
  const pod = podOf(['/cpu=2']);
  const deleted = { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } };
  test.each<[string, Attributes, boolean]>([
    ['a new pod', {}, true],
    ['an update', { operation: 'UPDATE', oldObject: pod }, false],
    ['a resize', { operation: 'UPDATE', subresource: 'resize', oldObject: pod }, true],
    [
      'a resize of a pod that is being deleted',
      { operation: 'UPDATE', subresource: 'resize', oldObject: deleted },
      false,
    ],
    ['a status', { operation: 'UPDATE', subresource: 'status', oldObject: pod }, false],
    ['ephemeral containers', { operation: 'UPDATE', subresource: 'ephemeralcontainers', oldObject: pod }, false],
    ['a pod of another group', { kind: { ...kindOf('Pod'), group: 'example.com' } }, false],
  ])('%s', async (_, attributes, isRefused) =>
    expect((await ask([item], pod, attributes)) !== undefined).toBe(isRefused),
  );
});
