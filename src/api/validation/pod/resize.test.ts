import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../../kinds/test-faults.ts';

const container = (name: string, fields: object = {}) => ({
  name,
  image: 'i',
  resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { memory: '2Gi' } },
  ...fields,
});
const finder = (spec: object, more: object = {}) => faultFinder('v1/pods', { spec, ...more }, 'resize');
const find = finder({ containers: [container('c')], initContainers: [container('i')] });
const expectFaults = (path: string, value: unknown, faults: string[]) =>
  expect(find.onUpdate(path, value)).toEqual(faults);
const r = 'spec.containers[0].resources';
const onlyThese = 'spec: Forbidden: only cpu and memory resources are mutable';

describe('containers', () => {
  test.each<FaultRow>([
    [`${r}.requests.cpu`, '2', []],
    // Other fields keep their values.
    ['spec.containers[0].image', 'other', []],
    [r, { requests: { cpu: '1' }, limits: { memory: '2Gi' } }, []],
    [r, { limits: { memory: '2Gi' } }, [`${r}.requests: Forbidden: resource requests cannot be removed`]],
    [r, { requests: { cpu: '1', memory: '1Gi' } }, [`${r}.limits: Forbidden: resource limits cannot be removed`]],
    [r, { requests: { cpu: '1', memory: '1Gi', 'ephemeral-storage': '1' }, limits: { memory: '2Gi' } }, [onlyThese]],
    [r, { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } }, []],
    [
      'spec.containers',
      [container('d')],
      ['spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize'],
    ],
    [
      'spec.initContainers',
      [],
      ['spec.initContainers: Forbidden: initContainers may not be added or removed on resize'],
    ],
    [
      'spec.initContainers[0].resizePolicy',
      [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }],
      ['spec.initContainers[0]: Forbidden: only cpu and memory resources for init or sidecar containers are mutable'],
    ],
  ])('%s = %j', expectFaults);
});

test('a container with claims cannot be resized', () =>
  expect(
    finder({
      containers: [container('c', { resources: { requests: { cpu: '1' }, claims: [{ name: 'r' }] } })],
      resourceClaims: [{ name: 'r', resourceClaimName: 'x' }],
    }).onUpdate(`${r}.requests.cpu`, '2'),
  ).toEqual([onlyThese]));

test('the class of quality is immutable', () =>
  expect(finder({ containers: [{ name: 'c', image: 'i' }] }).onUpdate(r, { requests: { cpu: '1' } })).toEqual([
    'spec: Invalid value: "BestEffort": Pod QOS Class may not change as a result of resizing',
  ]));

describe('whole pods', () => {
  const own = finder({ containers: [container('c')], resources: { requests: { cpu: '4', memory: '4Gi' } } });
  test.each<FaultRow>([
    ['spec.resources.requests.cpu', '5', []],
    ['spec.resources', undefined, ['spec.resources: Forbidden: pod-level resources cannot be removed']],
    [
      'spec.resources',
      { requests: { memory: '4Gi' } },
      ['spec.resources.requests: Forbidden: pod-level resource requests cannot be removed'],
    ],
  ])('%s = %j', (path, value, faults) => expect(own.onUpdate(path, value)).toEqual(faults));

  test.each<[what: string, spec: object, metadata: object, fault: string]>([
    [
      'a static pod',
      { nodeName: 'n' },
      { annotations: { 'kubernetes.io/config.mirror': 'x' } },
      'static pods cannot be resized',
    ],
    ['a pod of Windows', { os: { name: 'windows' } }, {}, 'windows pods cannot be resized'],
  ])('%s', (_, spec, metadata, fault) =>
    expect(
      finder({ containers: [container('c')], ...spec }, { metadata: { name: 'x', ...metadata } }).onUpdate(
        `${r}.requests.cpu`,
        '2',
      ),
    ).toEqual([`: Forbidden: ${fault}`]),
  );
});
