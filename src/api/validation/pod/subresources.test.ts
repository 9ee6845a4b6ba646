import { expect, test } from 'vitest';
import type { Pod } from '../../generated/types.ts';
import { validateEphemeralUpdate } from './subresources.ts';

const pod = (ephemeralContainers: object[], annotations?: object) =>
  ({ metadata: { annotations }, spec: { containers: [], ephemeralContainers } }) as unknown as Pod;
const debug = { name: 'debug', image: 'busybox' };

test.each<[string, object[], object[], string[]]>([
  ['one is added', [debug], [debug, { name: 'more' }], []],
  ['their order changes', [debug, { name: 'more' }], [{ name: 'more' }, debug], []],
  ['one is removed', [debug], [], ['Forbidden: existing ephemeral containers "debug" may not be removed']],
  [
    'one changes',
    [debug],
    [{ ...debug, image: 'other' }],
    ['Forbidden: existing ephemeral containers "debug" may not be changed'],
  ],
])('ephemeral containers: %s', (_, before, after, details) =>
  expect(
    validateEphemeralUpdate(pod(after), pod(before))
      .filter(({ field }) => field === 'spec.ephemeralContainers')
      .map(({ message }) => message.split('\n')[0]),
  ).toEqual(details),
);

test('a static pod gets none', () => {
  const mirror = pod([], { 'kubernetes.io/config.mirror': 'x' });
  expect(validateEphemeralUpdate(pod([debug]), mirror)).toHaveLength(1);
});
