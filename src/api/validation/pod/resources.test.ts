import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../../kinds/test-faults.ts';

const find = faultFinder('v1/pods', {
  spec: { containers: [{ name: 'c', image: 'i' }], resourceClaims: [{ name: 'r', resourceClaimName: 'x' }] },
});
const r = 'spec.containers[0].resources';
const p = 'spec.resources';
const expectFaults = (path: string, value: unknown, faults: string[]) =>
  expect(find.onCreate(path, value)).toEqual(faults);
const standard = 'must be a standard resource type or fully qualified';
const forContainers = 'must be a standard resource for containers';
const qualified =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

describe('requests and limits of containers', () => {
  test.each<FaultRow>([
    [r, { limits: {}, requests: {}, claims: [] }, []],
    [
      r,
      { requests: { gpu: '1' } },
      [
        `${r}.requests[gpu]: Invalid value: "gpu": ${standard}`,
        `${r}.requests[gpu]: Invalid value: "gpu": ${forContainers}`,
      ],
    ],
    [r, { requests: { storage: '1' } }, [`${r}.requests[storage]: Invalid value: "storage": ${forContainers}`]],
    [r, { requests: { pods: '1' } }, [`${r}.requests[pods]: Invalid value: "pods": ${forContainers}`]],
    [
      r,
      { requests: { 'a b': '1' } },
      [
        `${r}.requests[a b]: Invalid value: "a b": ${qualified}`,
        `${r}.requests[a b]: Invalid value: "a b": ${forContainers}`,
      ],
    ],
    [r, { requests: { cpu: '-1' } }, [`${r}.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0`]],
    [
      r,
      { requests: { cpu: '2' }, limits: { cpu: '1' } },
      [`${r}.requests: Invalid value: "2": must be less than or equal to cpu limit of 1`],
    ],
    [
      r,
      { requests: { 'a.b/c': '1' } },
      [`${r}.limits: Required value: Limit must be set for non overcommitable resources`],
    ],
    [
      r,
      { requests: { 'a.b/c': '1' }, limits: { 'a.b/c': '2' } },
      [`${r}.requests: Invalid value: "1": must be equal to a.b/c limit of 2`],
    ],
    [
      r,
      { requests: { 'requests.a/b': '1' } },
      [
        `${r}.requests[requests.a/b]: Invalid value: "requests.a/b": doesn't follow extended resource name standard`,
        `${r}.limits: Required value: Limit must be set for non overcommitable resources`,
      ],
    ],
    [r, { requests: { 'kubernetes.io/odd': '1' } }, []],
    [
      r,
      { limits: { 'hugepages-2Mi': '1Mi' } },
      [
        `${r}.limits[hugepages-2Mi]: Invalid value: "1Mi": 1Mi is not positive integer multiple of hugepages-2Mi`,
        `${r}.requests[hugepages-2Mi]: Invalid value: "1Mi": 1Mi is not positive integer multiple of hugepages-2Mi`,
        `${r}: Forbidden: HugePages require cpu or memory`,
      ],
    ],
    [r, { limits: { 'hugepages-2Mi': '2Mi', cpu: '1' } }, []],
    [
      r,
      { claims: [{}, { name: 'x' }, { name: 'r' }, { name: 'r' }] },
      [
        `${r}.claims[0]: Required value`,
        `${r}.claims[1]: Not found: "x": must be one of the names in pod.spec.resourceClaims: r`,
        `${r}.claims[3]: Duplicate value: "r"`,
      ],
    ],
    [
      r,
      { claims: [{ name: 'r', request: 'a' }, { name: 'r', request: 'a' }, { name: 'r' }] },
      [`${r}.claims[1]: Duplicate value: "r/a"`, `${r}.claims[2]: Duplicate value: "r"`],
    ],
  ])('%s = %j', expectFaults);
});

describe('requests and limits of pods', () => {
  test.each<FaultRow>([
    [p, {}, []],
    [p, { claims: [] }, [`${p}.claims: Forbidden: claims may not be set for Resources at pod-level`]],
    [
      p,
      { claims: [{ name: 'x' }] },
      [
        `${p}.claims: Forbidden: claims may not be set for Resources at pod-level`,
        `${p}.claims[0]: Not found: "x": must be one of the names in pod.spec.resourceClaims: r`,
      ],
    ],
    [
      p,
      { limits: { 'ephemeral-storage': '1' } },
      [
        `${p}.limits[ephemeral-storage]: Unsupported value: "ephemeral-storage": supported values: "cpu", "hugepages-", "memory"`,
      ],
    ],
    [
      'spec',
      {
        containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '2' }, limits: { memory: '2Gi' } } }],
        resources: { requests: { cpu: '1' }, limits: { memory: '1Gi' } },
      },
      [
        `${p}.requests: Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi`,
        `${p}.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 2`,
        `${p}.containers[0][memory].limits: Invalid value: "2Gi": must be less than or equal to pod limits of 1Gi`,
      ],
    ],
    [
      'spec',
      {
        containers: [
          { name: 'c', image: 'i', resources: { limits: { cpu: '1', 'hugepages-2Mi': '4Mi' } } },
          { name: 'd', image: 'i', resources: { limits: { cpu: '1', 'hugepages-2Mi': '4Mi' } } },
        ],
        resources: { limits: { cpu: '2', 'hugepages-2Mi': '4Mi' } },
      },
      [
        `${p}.requests[hugepages-2Mi]: Invalid value: "4Mi": must be greater than or equal to aggregate container requests of 8Mi`,
        `${p}.limits[hugepages-2Mi]: Invalid value: "4Mi": must be greater than or equal to aggregate container limits of 8Mi`,
      ],
    ],
    [
      'spec',
      { containers: [{ name: 'c', image: 'i' }], os: { name: 'windows' }, resources: { limits: { odd: '1' } } },
      [`${p}: Forbidden: may not be set for a windows pod`],
    ],
    [
      'spec.overhead',
      { gpu: '1' },
      [
        `spec.overhead.limits[gpu]: Invalid value: "gpu": ${standard}`,
        `spec.overhead.limits[gpu]: Invalid value: "gpu": ${forContainers}`,
      ],
    ],
    ['spec.overhead', {}, []],
  ])('%s = %j', expectFaults);
});
