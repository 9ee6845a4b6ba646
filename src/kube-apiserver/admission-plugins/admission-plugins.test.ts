import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Client, createClient } from '../../client/client.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { admissionPlugins } from './admission-plugins.ts';

let server: TestServer;
const ns = '/api/v1/namespaces/default';

beforeEach(async () => {
  let client: Client | undefined;
  server = await startTestServer({ namespaces: [], admission: admissionPlugins(() => client as Client) });
  client = createClient(server.transport({ name: 'system:apiserver', groups: ['system:masters'] }));
  await server.call('POST', '/api/v1/namespaces', { metadata: { name: 'default' } });
  await server.call('POST', `${ns}/serviceaccounts`, { metadata: { name: 'default' } });
});
afterEach(() => server.stop());

interface PodSpec {
  [field: string]: unknown;
}
const box = (fields: object = {}) => ({ name: 'box', image: 'registry.test/box:1', ...fields });
const create = (name: string, spec: PodSpec = {}) =>
  server.call('POST', `${ns}/pods`, { metadata: { name }, spec: { containers: [box()], ...spec } });
const label = (labels: object) =>
  server.call('PATCH', ns, { metadata: { labels } }, { contentType: 'application/merge-patch+json' });

describe('ResourceQuota', () => {
  const quota = async (hard: object, used: object, spec: object = {}) => {
    await server.call('POST', `${ns}/resourcequotas`, { metadata: { name: 'q' }, spec: { hard, ...spec } });
    const status = { status: { hard, used } };
    await server.call('PATCH', `${ns}/resourcequotas/q/status`, status, {
      contentType: 'application/merge-patch+json',
    });
  };
  const used = async () => (await server.call('GET', `${ns}/resourcequotas/q`)).body.status.used;

  test('of many concurrent writes, exactly those within the quota succeed', async () => {
    await quota({ pods: '5' }, { pods: '0' });
    const codes = await Promise.all([...Array(20).keys()].map(async (i) => (await create(`p${i}`)).code));
    expect(codes.filter((code) => code === 201)).toHaveLength(5);
    expect(codes.filter((code) => code === 403)).toHaveLength(15);
    expect(await used()).toEqual({ pods: '5' });
  });

  test('writes that fail for another reason are not charged', async () => {
    await quota({ pods: '5' }, { pods: '0' });
    expect((await create('a')).code).toBe(201);
    expect((await create('a')).code).toBe(409);
    expect((await create('b', { serviceAccountName: 'ghost' })).code).toBe(403);
    expect(await used()).toEqual({ pods: '1' });
  });

  test.each([
    ['a pod that fits', { requests: { cpu: '600m' } }, 201, ''],
    ['a pod that asks for nothing', {}, 403, 'failed quota: q: must specify requests.cpu for: box'],
    [
      'a pod that asks for too much',
      { requests: { cpu: '2' } },
      403,
      'exceeded quota: q, requested: requests.cpu=2, used: requests.cpu=0, limited: requests.cpu=1',
    ],
  ])('%s', async (_, resources, code, why) => {
    await quota({ 'requests.cpu': '1' }, { 'requests.cpu': '0' });
    const answer = await create('p', { containers: [box({ resources })] });
    expect(answer.code).toBe(code);
    if (why) expect(answer.body.message).toBe(`pods "p" is forbidden: ${why}`);
    expect(await used()).toEqual({ 'requests.cpu': code === 201 ? '600m' : '0' });
  });

  test('a quota without computed usage rejects all writes', async () => {
    await server.call('POST', `${ns}/resourcequotas`, { metadata: { name: 'q' }, spec: { hard: { pods: '1' } } });
    await server.call(
      'PATCH',
      `${ns}/resourcequotas/q/status`,
      { status: { hard: { pods: '1' } } },
      { contentType: 'application/merge-patch+json' },
    );
    expect((await create('p')).body.message).toBe(
      'pods "p" is forbidden: status unknown for quota: q, resources: pods',
    );
  });

  test('messages show the name that was generated', async () => {
    await quota({ pods: '0' }, { pods: '0' });
    const body = { metadata: { generateName: 'web-' }, spec: { containers: [box()] } };
    const answer = await server.call('POST', `${ns}/pods`, body);
    expect(answer.body.message).toMatch(/^pods "web-\w{5}" is forbidden: exceeded quota/);
    const stranger = { ...body, spec: { ...body.spec, serviceAccountName: 'ghost' } };
    const early = await server.call('POST', `${ns}/pods`, stranger);
    expect(early.body.message).toMatch(/^pods "web-" is forbidden: error looking up service account/);
  });

  test('objects of any kind are counted', async () => {
    await quota({ 'count/deployments.apps': '0', configmaps: '0' }, { 'count/deployments.apps': '0', configmaps: '0' });
    const map = await server.call('POST', `${ns}/configmaps`, { metadata: { name: 'c' } });
    expect(map.body.message).toBe(
      'configmaps "c" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=0, limited: configmaps=0',
    );
  });

  test('a service that becomes a NodePort is charged for its ports', async () => {
    await quota({ 'services.nodeports': '0' }, { 'services.nodeports': '0' });
    const ports = [{ port: 80 }];
    expect((await server.call('POST', `${ns}/services`, { metadata: { name: 's' }, spec: { ports } })).code).toBe(201);
    const changed = await server.call(
      'PATCH',
      `${ns}/services/s`,
      { spec: { type: 'NodePort' } },
      { contentType: 'application/merge-patch+json' },
    );
    expect(changed.body.message).toContain('requested: services.nodeports=1, used: services.nodeports=0');
  });

  const merge = (path: string, body: object) =>
    server.call('PATCH', path, body, { contentType: 'application/merge-patch+json' });
  const scope = (scopeName: string, ...values: string[]) => ({
    scopeSelector: { matchExpressions: [{ scopeName, operator: values.length ? 'In' : 'Exists', values }] },
  });
  const claim = (name: string, more: object = {}) =>
    server.call('POST', `${ns}/persistentvolumeclaims`, {
      metadata: { name },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...more },
    });

  test('claims of a volume attributes class are charged to the quotas of that class', async () => {
    await quota(
      { persistentvolumeclaims: '1' },
      { persistentvolumeclaims: '0' },
      scope('VolumeAttributesClass', 'gold'),
    );
    expect((await claim('none')).code).toBe(201);
    expect((await claim('silver', { volumeAttributesClassName: 'silver' })).code).toBe(201);
    expect(await used()).toEqual({ persistentvolumeclaims: '0' });
    expect((await claim('gold', { volumeAttributesClassName: 'gold' })).code).toBe(201);
    expect(await used()).toEqual({ persistentvolumeclaims: '1' });
    expect((await claim('more', { volumeAttributesClassName: 'gold' })).body.message).toBe(
      'persistentvolumeclaims "more" is forbidden: exceeded quota: q, requested: persistentvolumeclaims=1, used: persistentvolumeclaims=1, limited: persistentvolumeclaims=1',
    );
    // The driver reports the class that it applied: a fact, which no quota refuses.
    const status = { currentVolumeAttributesClassName: 'gold' };
    expect((await merge(`${ns}/persistentvolumeclaims/silver/status`, { status })).code).toBe(200);
    expect(await used()).toEqual({ persistentvolumeclaims: '2' });
  });

  test('a pod that gets a deadline is charged to the quota of such pods', async () => {
    await quota({ pods: '1' }, { pods: '0' }, { scopes: ['Terminating'] });
    for (const name of ['a', 'b']) expect((await create(name)).code).toBe(201);
    expect(await used()).toEqual({ pods: '0' });
    expect((await merge(`${ns}/pods/a`, { spec: { activeDeadlineSeconds: 60 } })).code).toBe(200);
    expect(await used()).toEqual({ pods: '1' });
    const refused = await merge(`${ns}/pods/b`, { spec: { activeDeadlineSeconds: 60 } });
    expect(refused.body.message).toBe(
      'pods "b" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1',
    );
    expect((await merge(`${ns}/pods/a`, { spec: { activeDeadlineSeconds: 30 } })).code).toBe(200);
  });

  test('a pod with resources of its own needs none in its containers', async () => {
    await quota({ 'requests.cpu': '2' }, { 'requests.cpu': '0' });
    expect((await create('whole', { resources: { requests: { cpu: '1' } } })).code).toBe(201);
    expect(await used()).toEqual({ 'requests.cpu': '1' });
  });
});

describe('PodSecurity', () => {
  const restricted = {
    containers: [
      box({
        securityContext: {
          allowPrivilegeEscalation: false,
          runAsNonRoot: true,
          capabilities: { drop: ['ALL'] },
          seccompProfile: { type: 'RuntimeDefault' },
        },
      }),
    ],
  };
  const context = (securityContext: object) => ({ containers: [box({ securityContext })] });
  test.each<[string, string, PodSpec, string]>([
    ['a plain pod', 'baseline', {}, ''],
    ['a careful pod', 'restricted', restricted, ''],
    ['the host network', 'baseline', { hostNetwork: true }, 'host namespaces (hostNetwork=true)'],
    [
      'a privileged container',
      'baseline',
      context({ privileged: true }),
      'privileged (container "box" must not set securityContext.privileged=true)',
    ],
    ['a host path', 'baseline', { volumes: [{ name: 'v', hostPath: { path: '/' } }] }, 'hostPath volumes (volume "v")'],
    [
      'a host path, restricted',
      'restricted',
      { ...restricted, volumes: [{ name: 'v', hostPath: { path: '/' } }] },
      'restricted volume types (volume "v" uses restricted volume type "hostPath")',
    ],
    [
      'a host port',
      'baseline',
      { containers: [box({ ports: [{ containerPort: 80, hostPort: 80 }] })] },
      'hostPort (container "box" uses hostPort 80)',
    ],
    [
      'a capability',
      'baseline',
      context({ capabilities: { add: ['NET_RAW'] } }),
      'non-default capabilities (container "box" must not include "NET_RAW" in securityContext.capabilities.add)',
    ],
    [
      'no seccomp',
      'baseline',
      { securityContext: { seccompProfile: { type: 'Unconfined' } } },
      'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    ],
    [
      'a sysctl',
      'baseline',
      { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } },
      'forbidden sysctls (kernel.msgmax)',
    ],
    [
      'root',
      'restricted',
      { ...restricted, securityContext: { runAsUser: 0 } },
      'runAsUser=0 (pod must not set runAsUser=0)',
    ],
    [
      'a foreign SELinux type',
      'baseline',
      { securityContext: { seLinuxOptions: { type: 'spc_t', user: 'u' } } },
      'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
    ],
  ])('%s, %s', async (_, level, spec, why) => {
    await label({ 'pod-security.kubernetes.io/enforce': level });
    const { code, body } = await create('p', spec);
    if (!why) return expect(code).toBe(201);
    expect(code).toBe(403);
    expect(body.message).toBe(`pods "p" is forbidden: violates PodSecurity "${level}:latest": ${why}`);
  });

  test('an unknown level is refused', async () => {
    const { code, body } = await label({ 'pod-security.kubernetes.io/enforce': 'strict' });
    expect(code).toBe(422);
    expect(body.message).toContain('must be one of privileged, baseline, restricted');
  });

  test('templates are never refused', async () => {
    await label({
      'pod-security.kubernetes.io/enforce': 'restricted',
      'pod-security.kubernetes.io/warn': 'restricted',
    });
    const { code } = await server.call('POST', '/apis/apps/v1/namespaces/default/deployments', {
      metadata: { name: 'd' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [box()] } },
      },
    });
    expect(code).toBe(201);
  });
});

describe('RuntimeClass', () => {
  beforeEach(async () => {
    await server.call('POST', '/apis/node.k8s.io/v1/runtimeclasses', {
      metadata: { name: 'vm' },
      handler: 'h',
      overhead: { podFixed: { cpu: '250m' } },
      scheduling: { nodeSelector: { a: 'b' }, tolerations: [{ key: 'k' }] },
    });
  });

  test('overhead, node selector and tolerations reach the pod', async () => {
    const { body } = await create('p', { runtimeClassName: 'vm', nodeSelector: { own: 'x' } });
    expect(body.spec).toMatchObject({ overhead: { cpu: '250m' }, nodeSelector: { a: 'b', own: 'x' } });
    expect(body.spec.tolerations.at(-1)).toEqual({ key: 'k' });
  });

  test.each<[string, PodSpec, string]>([
    ['a class that is not there', { runtimeClassName: 'ghost' }, 'pod rejected: RuntimeClass "ghost" not found'],
    [
      'another node selector',
      { runtimeClassName: 'vm', nodeSelector: { a: 'c' } },
      'conflict: runtimeClass.scheduling.nodeSelector[a] = b; pod.spec.nodeSelector[a] = c',
    ],
    [
      'overhead of its own',
      { overhead: { cpu: '1' } },
      'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
    ],
  ])('%s', async (_, spec, why) =>
    expect((await create('p', spec)).body.message).toBe(`pods "p" is forbidden: ${why}`),
  );
});

describe('default classes', () => {
  test('a claim gets the newest default storage class, and keeps its own', async () => {
    const marks = { 'storageclass.kubernetes.io/is-default-class': 'true' };
    await server.call('POST', '/apis/storage.k8s.io/v1/storageclasses', {
      metadata: { name: 'fast', annotations: marks },
      provisioner: 'x.test/p',
    });
    const claim = (name: string, spec: object = {}) =>
      server.call('POST', `${ns}/persistentvolumeclaims`, {
        metadata: { name },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
      });
    expect((await claim('a')).body.spec.storageClassName).toBe('fast');
    expect((await claim('b', { storageClassName: '' })).body.spec.storageClassName).toBe('');
  });

  test('an ingress gets the default ingress class', async () => {
    await server.call('POST', '/apis/networking.k8s.io/v1/ingressclasses', {
      metadata: { name: 'web', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
      spec: { controller: 'x.test/c' },
    });
    const { body } = await server.call('POST', '/apis/networking.k8s.io/v1/namespaces/default/ingresses', {
      metadata: { name: 'i' },
      spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } },
    });
    expect(body.spec.ingressClassName).toBe('web');
  });
});

describe('the older plugins', () => {
  test('a terminating namespace accepts no new objects', async () => {
    await server.call('POST', '/api/v1/namespaces', { metadata: { name: 'x' }, spec: { finalizers: ['a.test/b'] } });
    await server.call('DELETE', '/api/v1/namespaces/x');
    const { code, body } = await server.call('POST', '/api/v1/namespaces/x/configmaps', { metadata: { name: 'c' } });
    expect(code).toBe(403);
    expect(body.message).toBe(
      'configmaps "c" is forbidden: unable to create new content in namespace x because it is being terminated',
    );
  });

  test('a pod gets account, token, tolerations and priority', async () => {
    await server.call('POST', '/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name: 'high' }, value: 7 });
    const { body } = await create('p', { priorityClassName: 'high' });
    expect(body.spec).toMatchObject({ serviceAccountName: 'default', priority: 7 });
    expect(body.spec.tolerations.map(({ key }: { key: string }) => key)).toEqual([
      'node.kubernetes.io/not-ready',
      'node.kubernetes.io/unreachable',
    ]);
    expect(body.spec.containers[0].volumeMounts[0].mountPath).toBe('/var/run/secrets/kubernetes.io/serviceaccount');
  });

  test.each<[string, PodSpec, string]>([
    [
      'an unknown account',
      { serviceAccountName: 'ghost' },
      'error looking up service account default/ghost: serviceaccount "ghost" not found',
    ],
    ['an unknown priority class', { priorityClassName: 'ghost' }, 'no PriorityClass with name ghost was found'],
    [
      'a priority that is not the class’s',
      { priority: 3 },
      'the integer value of priority (3) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name',
    ],
  ])('%s is refused', async (_, spec, why) =>
    expect((await create('p', spec)).body.message).toBe(`pods "p" is forbidden: ${why}`),
  );

  test('limit ranges give defaults and bounds', async () => {
    await server.call('POST', `${ns}/limitranges`, {
      metadata: { name: 'l' },
      spec: { limits: [{ type: 'Container', default: { cpu: '1' }, max: { cpu: '2' } }] },
    });
    expect((await create('a')).body.spec.containers[0].resources.limits).toEqual({ cpu: '1' });
    const { body } = await create('b', { containers: [box({ resources: { limits: { cpu: '3' } } })] });
    expect(body.message).toBe('pods "b" is forbidden: maximum cpu usage per Container is 2, but limit is 3');
  });
});
