import { beforeEach, describe, expect, test } from 'vitest';
import { admissionServer, box, ns } from './test-admission.ts';

const { call, create, merge, start } = admissionServer();
beforeEach(() => start());

describe('ResourceQuota', () => {
  const quota = async (hard: object, used: object, spec: object = {}) => {
    await call('POST', `${ns}/resourcequotas`, { metadata: { name: 'q' }, spec: { hard, ...spec } });
    const status = { status: { hard, used } };
    await call('PATCH', `${ns}/resourcequotas/q/status`, status, {
      contentType: 'application/merge-patch+json',
    });
  };
  const used = async () => (await call('GET', `${ns}/resourcequotas/q`)).body.status.used;

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
    await call('POST', `${ns}/resourcequotas`, { metadata: { name: 'q' }, spec: { hard: { pods: '1' } } });
    await call(
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
    const answer = await call('POST', `${ns}/pods`, body);
    expect(answer.body.message).toMatch(/^pods "web-\w{5}" is forbidden: exceeded quota/);
    const stranger = { ...body, spec: { ...body.spec, serviceAccountName: 'ghost' } };
    const early = await call('POST', `${ns}/pods`, stranger);
    expect(early.body.message).toMatch(/^pods "web-" is forbidden: error looking up service account/);
  });

  test('objects of any kind are counted', async () => {
    await quota({ 'count/deployments.apps': '0', configmaps: '0' }, { 'count/deployments.apps': '0', configmaps: '0' });
    const map = await call('POST', `${ns}/configmaps`, { metadata: { name: 'c' } });
    expect(map.body.message).toBe(
      'configmaps "c" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=0, limited: configmaps=0',
    );
  });

  test('a service that becomes a NodePort is charged for its ports', async () => {
    await quota({ 'services.nodeports': '0' }, { 'services.nodeports': '0' });
    const ports = [{ port: 80 }];
    expect((await call('POST', `${ns}/services`, { metadata: { name: 's' }, spec: { ports } })).code).toBe(201);
    const changed = await call(
      'PATCH',
      `${ns}/services/s`,
      { spec: { type: 'NodePort' } },
      { contentType: 'application/merge-patch+json' },
    );
    expect(changed.body.message).toContain('requested: services.nodeports=1, used: services.nodeports=0');
  });

  const scope = (scopeName: string, ...values: string[]) => ({
    scopeSelector: { matchExpressions: [{ scopeName, operator: values.length ? 'In' : 'Exists', values }] },
  });
  const claim = (name: string, more: object = {}) =>
    call('POST', `${ns}/persistentvolumeclaims`, {
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
