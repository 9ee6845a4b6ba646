// Cases after plugin/pkg/admission/serviceaccount/admission_test.go of Kubernetes.

import { describe, expect, test } from 'vitest';
import { notFound, type Pod, type ServiceAccount } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { AdmissionAttributes } from '../admission.ts';
import { serviceAccount } from './service-account.ts';

const account = (name: string, more: object = {}): ServiceAccount =>
  ({ metadata: { name, namespace: 'ns' }, ...more }) as ServiceAccount;
const enforcing = (more: object = {}, value = 'true'): ServiceAccount => ({
  ...account('default', more),
  metadata: { name: 'default', annotations: { 'kubernetes.io/enforce-mountable-secrets': value } } as any,
});
const podOf = (spec: object = {}, metadata: object = {}): Pod =>
  ({ metadata: { name: 'web', ...metadata }, spec: { containers: [{ name: 'c' }], ...spec } }) as Pod;

type Attributes = Partial<Record<keyof AdmissionAttributes, unknown>>;

/** The pod after admission, or its refusal. */
async function admitted(
  accounts: readonly ServiceAccount[],
  pod: Pod,
  given: Attributes = {},
  { mayMiss = false, clock = new VirtualClock() } = {},
): Promise<Pod | string> {
  const client = {
    async get(_resource: string, { name }: { name: string }) {
      const found = accounts.find(({ metadata }) => metadata.name === name);
      if (!found) throw notFound({ group: '', resource: 'serviceaccounts' }, name);
      return found;
    },
  } as unknown as Client;
  const plugin = serviceAccount(() => client, mayMiss);
  const attributes = {
    ...{ operation: 'CREATE', kind: { group: '', resource: 'pods', kind: 'Pod' }, subresource: '', namespace: 'ns' },
    ...{ name: 'web', object: pod, server: { clock, random: seededRandom(1) }, ...given },
  } as unknown as AdmissionAttributes;
  try {
    await plugin.admit?.(attributes);
    await plugin.validate?.(attributes);
    return pod;
  } catch (error) {
    return (error as Error).message.replace('pods "web" is forbidden: ', '');
  }
}

const directory = '/var/run/secrets/kubernetes.io/serviceaccount';
const mounts = (pod: Pod | string, list: 'containers' | 'initContainers' = 'containers') =>
  (pod as Pod).spec[list]?.map(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name.replace(/-\w{5}$/, '')));

describe('the account', () => {
  test.each([
    ['none', {}, 'default'],
    ['a named one', { serviceAccountName: 'own' }, 'own'],
  ])('%s', async (_, spec, name) =>
    expect(await admitted([account('default'), account('own')], podOf(spec))).toMatchObject({
      spec: { serviceAccountName: name, serviceAccount: name },
    }),
  );

  test('that does not exist', async () =>
    expect(await admitted([account('default')], podOf({ serviceAccountName: 'other' }))).toBe(
      'error looking up service account ns/other: serviceaccount "other" not found',
    ));

  test('default that no controller makes is not needed where it may miss', async () =>
    expect(await admitted([], podOf(), {}, { mayMiss: true })).toEqual(podOf()));

  test('default of a new namespace is waited for', async () => {
    const clock = new VirtualClock();
    const accounts: ServiceAccount[] = [];
    const pending = admitted(accounts, podOf(), {}, { clock });
    await clock.advance(500);
    accounts.push(account('default'));
    await clock.advance(200);
    expect(await pending).toMatchObject({ spec: { serviceAccountName: 'default' } });
  });

  test('default that never comes is a refusal after one to two seconds', async () => {
    const clock = new VirtualClock();
    let answer: unknown;
    void admitted([], podOf(), {}, { clock }).then((result) => {
      answer = result;
    });
    await clock.advance(899);
    expect(answer).toBeUndefined();
    await clock.advance(1_000);
    expect(answer).toBe('error looking up service account ns/default: serviceaccount "default" not found');
  });
});

describe('the token', () => {
  test.each<[string, object, object, boolean]>([
    ['is mounted', {}, {}, true],
    ['unless the account forbids it', { automountServiceAccountToken: false }, {}, false],
    ['unless the pod forbids it', {}, { automountServiceAccountToken: false }, false],
    ['when the pod wants it', { automountServiceAccountToken: false }, { automountServiceAccountToken: true }, true],
    ['unless the pod does not', { automountServiceAccountToken: true }, { automountServiceAccountToken: false }, false],
  ])('%s', async (_, more, spec, isMounted) => {
    const pod = (await admitted([account('default', more)], podOf(spec))) as Pod;
    expect(mounts(pod)).toEqual([isMounted ? ['kube-api-access'] : []]);
    expect(pod.spec.volumes?.length ?? 0).toBe(isMounted ? 1 : 0);
  });

  test('is a volume of token, authority and namespace', async () => {
    const pod = (await admitted([account('default')], podOf())) as Pod;
    expect(pod.spec.containers[0].volumeMounts?.[0]).toMatchObject({ readOnly: true, mountPath: directory });
    expect(pod.spec.volumes?.[0].projected?.sources?.map((source) => Object.keys(source)[0])).toEqual([
      'serviceAccountToken',
      'configMap',
      'downwardAPI',
    ]);
    expect(pod.spec.volumes?.[0].projected).toMatchObject({
      defaultMode: 0o644,
      sources: [{ serviceAccountToken: { expirationSeconds: 3607, path: 'token' } }, {}, {}],
    });
  });

  test('goes to init containers too, and not where its directory is taken', async () => {
    const taken = { name: 'b', volumeMounts: [{ name: 'own', mountPath: directory }] };
    const pod = await admitted(
      [account('default')],
      podOf({ containers: [{ name: 'a' }, taken], initContainers: [{ name: 'i' }] }),
    );
    expect([mounts(pod, 'initContainers'), mounts(pod)]).toEqual([
      [['kube-api-access']],
      [['kube-api-access'], ['own']],
    ]);
  });

  test('has no volume when no container mounts it', async () => {
    const taken = { name: 'a', volumeMounts: [{ name: 'own', mountPath: directory }] };
    expect(
      ((await admitted([account('default')], podOf({ containers: [taken] }))) as Pod).spec.volumes,
    ).toBeUndefined();
  });

  test('uses a volume that is there', async () => {
    const volumes = [{ name: 'kube-api-access-mine1', emptyDir: {} }];
    const pod = (await admitted([account('default')], podOf({ volumes }))) as Pod;
    expect([pod.spec.volumes, pod.spec.containers[0].volumeMounts?.[0].name]).toEqual([
      volumes,
      'kube-api-access-mine1',
    ]);
  });
});

test.each([
  ['the account has, for a pod without', [{ name: 'a' }], undefined, [{ name: 'a' }]],
  ['the pod has', [{ name: 'a' }], [{ name: 'b' }], [{ name: 'b' }]],
  ['neither has', undefined, undefined, undefined],
])('pull secrets: those that %s', async (_, ofAccount, ofPod, wanted) => {
  const has = account('default', ofAccount && { imagePullSecrets: ofAccount });
  expect(((await admitted([has], podOf(ofPod && { imagePullSecrets: ofPod }))) as Pod).spec.imagePullSecrets).toEqual(
    wanted,
  );
});

describe('a mirror pod', () => {
  const mirror = { annotations: { 'kubernetes.io/config.mirror': 'x' } };
  test.each<[string, object, string | undefined]>([
    ['stays as it is', {}, undefined],
    ['may not have an account', { serviceAccountName: 'default' }, 'a mirror pod may not reference service accounts'],
    [
      'may not have a secret volume',
      { volumes: [{ name: 'v', secret: { secretName: 's' } }] },
      'a mirror pod may not reference secrets',
    ],
    ['may not have a pull secret', { imagePullSecrets: [{ name: 's' }] }, 'a mirror pod may not reference secrets'],
    [
      'may not have a token',
      { volumes: [{ name: 'v', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }] },
      'a mirror pod may not use ServiceAccountToken volume projections',
    ],
  ])('%s', async (_, spec, fault) =>
    expect(await admitted([account('default')], podOf(spec, mirror))).toEqual(fault ?? podOf(spec, mirror)),
  );
});

describe('mountable secrets', () => {
  const by = 'is not allowed because service account default does not reference that secret';
  const env = [{ name: 'E', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }];
  const envFrom = [{ secretRef: { name: 's' } }];
  const uses: Readonly<Record<string, [object, string]>> = {
    volume: [{ volumes: [{ name: 'v', secret: { secretName: 's' } }] }, `volume with secret.secretName="s" ${by}`],
    variable: [
      { containers: [{ name: 'c', env }] },
      `container c with envVar E referencing secret.secretName="s" ${by}`,
    ],
    variables: [
      { containers: [{ name: 'c', envFrom }] },
      `container c with envFrom referencing secret.secretName="s" ${by}`,
    ],
    'variable of an init container': [
      { initContainers: [{ name: 'i', env }] },
      `init container i with envVar E referencing secret.secretName="s" ${by}`,
    ],
    'variables of an init container': [
      { initContainers: [{ name: 'i', envFrom }] },
      `init container i with envFrom referencing secret.secretName="s" ${by}`,
    ],
    'pull secret': [
      { imagePullSecrets: [{ name: 's' }] },
      'imagePullSecrets[0].name="s" is not allowed because service account default does not reference that imagePullSecret',
    ],
  };
  const lists = { secrets: [{ name: 's' }], imagePullSecrets: [{ name: 's' }] };

  test.each(Object.entries(uses))('%s', async (_, [spec, fault]) => {
    expect(await admitted([enforcing()], podOf(spec))).toBe(fault);
    expect(typeof (await admitted([enforcing(lists)], podOf(spec)))).toBe('object');
    expect(typeof (await admitted([enforcing({}, 'false')], podOf(spec)))).toBe('object');
    expect(typeof (await admitted([account('default')], podOf(spec)))).toBe('object');
  });

  test('of ephemeral containers', async () => {
    const pod = podOf({ serviceAccountName: 'default', ephemeralContainers: [{ name: 'e', env }] });
    const update = { operation: 'UPDATE', subresource: 'ephemeralcontainers' };
    expect(await admitted([enforcing()], pod, update)).toBe(
      `ephemeral container e with envVar E referencing secret.secretName="s" ${by}`,
    );
    expect(await admitted([enforcing(lists)], pod, update)).toBe(pod);
  });
});

test.each([
  ['an update', { operation: 'UPDATE' }],
  ['a status', { operation: 'UPDATE', subresource: 'status' }],
  ['another kind', { kind: { group: '', resource: 'secrets', kind: 'Secret' } }],
])('%s is left alone', async (_, given) => expect(await admitted([], podOf(), given)).toEqual(podOf()));
