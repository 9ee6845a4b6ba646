import { beforeEach, describe, expect, test } from 'vitest';
import { admissionServer, box, ns } from './test-admission.ts';

const { call, create, start } = admissionServer();
beforeEach(() => start());
const node = (name: string, status: object = {}, labels: object = {}) =>
  call('POST', '/api/v1/nodes', { metadata: { name, labels }, status });

describe('a resize', () => {
  const sized = (cpu: string) => ({ resources: { requests: { cpu } } });
  const resize = async (cpu: string) => {
    const pod = structuredClone((await call('GET', `${ns}/pods/p`)).body);
    pod.spec.containers[0].resources = { requests: { cpu } };
    return call('PUT', `${ns}/pods/p/resize`, pod);
  };
  const running = async (status: object, labels: object = {}) => {
    await node('n', status, labels);
    await create('p', { nodeName: 'n', containers: [box(sized('100m'))] });
  };

  test('within the node', async () => {
    await running({ allocatable: { cpu: '1', memory: '1Gi' }, capacity: { cpu: '1', memory: '1Gi' } });
    expect((await resize('900m')).code).toBe(200);
  });

  test('beyond the node', async () => {
    await running({ allocatable: { cpu: '1', memory: '1Gi' }, capacity: { cpu: '1', memory: '1Gi' } });
    const { code, body } = await resize('1100m');
    expect([code, body.message, body.details.causes]).toEqual([
      403,
      'pods "p" is forbidden: node didn\'t have enough allocatable resources: cpu, requested: 1100, allocatable: 1000',
      [{ reason: 'NodeCapacity' }],
    ]);
  });

  test('on another system', async () => {
    await running({ allocatable: { cpu: '1' }, capacity: { cpu: '1' } }, { 'kubernetes.io/os': 'windows' });
    const { body } = await resize('200m');
    expect([body.message, body.details.causes]).toEqual([
      'pods "p" is forbidden: pod resize is only supported on linux nodes, node "n" is "windows"',
      [{ reason: 'UnsupportedPlatform' }],
    ]);
  });

  test.each([
    [['InPlacePodLevelResourcesVerticalScaling'], 200, undefined],
    [
      [],
      403,
      'pods "p" is forbidden: pod update requires features InPlacePodLevelResourcesVerticalScaling which are not available on node "n"',
    ],
  ])('of the whole pod, on a node that declares %j', async (declaredFeatures, code, message) => {
    await node('n', { allocatable: { cpu: '1' }, capacity: { cpu: '1' }, declaredFeatures });
    await create('p', { nodeName: 'n', resources: { requests: { cpu: '100m' } } });
    const pod = structuredClone((await call('GET', `${ns}/pods/p`)).body);
    pod.spec.resources.requests.cpu = '200m';
    const answer = await call('PUT', `${ns}/pods/p/resize`, pod);
    expect([answer.code, answer.body.message]).toEqual([code, message]);
  });
});
