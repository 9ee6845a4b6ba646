import { expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { pageSizeOf } from './huge-page-volumes.ts';

const podWith = (...lists: string[][]): Pod =>
  ({
    spec: {
      containers: lists.map((names) => ({ resources: { requests: Object.fromEntries(names.map((n) => [n, '2Mi'])) } })),
    },
  }) as unknown as Pod;

test.each([
  ['HugePages', [['hugepages-2Mi']], 2 ** 21],
  ['HugePages', [['memory'], ['hugepages-1Gi', 'cpu'], ['hugepages-1Gi']], 2 ** 30],
  ['HugePages-2Mi', [['hugepages-2Mi', 'hugepages-1Gi']], 2 ** 21],
])('medium %s of a pod with %j has pages of a size', (medium, lists, size) => {
  expect(pageSizeOf(medium, podWith(...lists))).toBe(size);
});

test.each([
  ['HugePages', [['memory']], 'medium HugePages: hugePages storage requested, but there is no resource request for'],
  ['HugePages-1Gi', [['hugepages-2Mi']], 'medium HugePages-1Gi: hugePages storage requested, but there is no resource'],
  [
    'HugePages',
    [['hugepages-2Mi'], ['hugepages-1Gi']],
    "medium: HugePages can't be used if container requests multiple huge page sizes",
  ],
])('medium %s of a pod with %j is refused', (medium, lists, why) => {
  expect(() => pageSizeOf(medium, podWith(...lists))).toThrow(why);
});

test('requests of the whole pod count', () => {
  const pod = { spec: { containers: [{}], resources: { requests: { 'hugepages-2Mi': '2Mi' } } } } as unknown as Pod;
  expect(pageSizeOf('HugePages', pod)).toBe(2 ** 21);
});
