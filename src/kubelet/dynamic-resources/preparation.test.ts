import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ClaimOptions, container, driverName, podOf, TestClaims } from './test-claims.ts';

let node: TestClaims;
beforeEach(async () => {
  node = new TestClaims();
  await node.boot();
});
afterEach(() => node.dispose());

describe('preparation', () => {
  test.each(['v1.DRAPlugin', 'v1beta1.DRAPlugin'])(
    'a driver of %s prepares all claims of a pod at once',
    async (service) => {
      const driver = await node.startDriver({ services: ['v9.DRAPlugin', service] });
      await node.claim('a');
      await node.claim('b');
      const pod = podOf(
        'u',
        ['a', 'b'],
        [container('both', { name: 'a' }, { name: 'b' }), container('one', { name: 'b' })],
      );
      await node.prepare(pod);
      expect(driver.calls).toEqual(['prepare a b']);
      expect(node.cdi(pod)).toEqual(['test.dra/class=a', 'test.dra/class=b']);
      expect(node.cdi(pod, 1)).toEqual(['test.dra/class=b']);
      expect(node.metrics.text()).toContain('dra_resource_claims_in_use{driver_name="<any>"} 2');
      await node.resources.unprepare('u');
      expect(driver.calls).toEqual(['prepare a b', 'unprepare a b']);
      expect(() => node.cdi(pod)).toThrow(
        'internal error: unable to get claim info for ResourceClaim a in namespace default',
      );
    },
  );

  test('a container gets the devices of its request', async () => {
    await node.startDriver();
    await node.claim('a');
    const uses = ['req', 'other'].map((request) => container(request, { name: 'a', request }));
    const pod = podOf('u', ['a'], uses);
    await node.prepare(pod);
    expect([node.cdi(pod), node.cdi(pod, 1)]).toEqual([['test.dra/class=a'], []]);
  });

  test('claims of templates have the names in the status, and need not exist', async () => {
    const driver = await node.startDriver();
    await node.claim('made', { owner: 'u' });
    const pod = podOf('u', [], [container('c', { name: 'x' }, { name: 'none' })]);
    const entries = ['x', 'none'].map((name) => ({ name, resourceClaimTemplateName: 't' }));
    Object.assign(pod.spec, { resourceClaims: entries });
    await expect(node.prepare(pod)).rejects.toThrow('pod "default/u": ResourceClaim not created yet');
    Object.assign(pod.status ?? {}, {
      resourceClaimStatuses: [{ name: 'x', resourceClaimName: 'made' }, { name: 'none' }],
    });
    await node.prepare(pod);
    expect(driver.calls).toEqual(['prepare made']);
    expect(node.cdi(pod)).toEqual(['test.dra/class=made']);
  });

  test('extended node.resources have a claim of the scheduler', async () => {
    await node.startDriver();
    await node.claim('extended');
    const pod = podOf('u', [], [container('c'), container('other')]);
    Object.assign(pod.spec.containers[0], { resources: { requests: { 'vendor.com/gpu': '1' } } });
    const requestMappings = [{ containerName: 'c', resourceName: 'vendor.com/gpu', requestName: 'req' }];
    Object.assign(pod.status ?? {}, {
      extendedResourceClaimStatus: { resourceClaimName: 'extended', requestMappings },
    });
    await node.prepare(pod);
    expect([node.cdi(pod), node.cdi(pod, 1)]).toEqual([['test.dra/class=extended'], []]);
  });

  test.each<[string, ClaimOptions | undefined, string]>([
    ['that does not exist', undefined, 'fetch ResourceClaim a: '],
    ['of other pods', { users: ['x'] }, 'pod u (u) is not allowed to use ResourceClaim a (claim-a)'],
    ['without devices', { isAllocated: false }, 'ResourceClaim a: not allocated'],
    ['of a driver that is not here', { drivers: ['gone.dra'] }, 'DRA driver gone.dra is not registered'],
  ])('a claim %s is refused, and nothing stays of it', async (_, options, why) => {
    await node.startDriver();
    if (options) await node.claim('a', options);
    await expect(node.prepare(podOf('u', ['a']))).rejects.toThrow(`prepare dynamic resources: ${why}`);
    await node.resources.unprepare('u');
    expect(node.drivers[0].calls).toEqual([]);
  });

  test("a generated claim must be the pod's", async () => {
    await node.startDriver();
    await node.claim('a', { owner: 'other' });
    const pod = podOf('u', []);
    Object.assign(pod.spec, { resourceClaims: [{ name: 'x', resourceClaimTemplateName: 't' }] });
    Object.assign(pod.status ?? {}, { resourceClaimStatuses: [{ name: 'x', resourceClaimName: 'a' }] });
    await expect(node.prepare(pod)).rejects.toThrow(
      'ResourceClaim default/a was not created for Pod default/u (Pod is not owner)',
    );
  });

  test('two drivers node.prepare one claim; the last pod frees it', async () => {
    const first = await node.startDriver();
    const second = await node.startDriver({ name: 'second.dra' });
    await node.claim('a', { users: ['u', 'v'], drivers: [driverName, 'second.dra'] });
    for (const uid of ['u', 'v']) await node.prepare(podOf(uid, ['a']));
    expect(node.cdi(podOf('v', ['a']))).toEqual(['test.dra/class=a', 'second.dra/class=a']);
    await node.resources.unprepare('u');
    expect([first.calls, second.calls]).toEqual([['prepare a'], ['prepare a']]);
    await node.resources.unprepare('v');
    expect([first.calls, second.calls]).toEqual([
      ['prepare a', 'unprepare a'],
      ['prepare a', 'unprepare a'],
    ]);
  });
});
