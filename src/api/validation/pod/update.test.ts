import { expect, test } from 'vitest';
import type { Pod } from '../../generated/types.ts';
import { validateEphemeralContainersUpdate } from './update.ts';

const pod = (ephemeralContainers: object[], annotations?: object) =>
  ({ metadata: { annotations }, spec: { containers: [], ephemeralContainers } }) as unknown as Pod;
const debug = { name: 'debug', image: 'busybox' };

test.each<[string, object[], object[], string[]]>([
  ['one is added', [debug], [debug, { name: 'more' }], []],
  ['their order changes', [debug, { name: 'more' }], [{ name: 'more' }, debug], []],
  ['one is removed', [debug], [], ['Forbidden: existing ephemeral containers "debug" may not be removed\n']],
  [
    'one changes',
    [debug],
    [{ ...debug, image: 'other' }],
    ['Forbidden: existing ephemeral containers "debug" may not be changed\n'],
  ],
])('ephemeral containers: %s', (_, before, after, details) =>
  expect(validateEphemeralContainersUpdate(pod(after), pod(before)).map((error) => error.message)).toEqual(details),
);

test('a static pod gets none', () => {
  const mirror = pod([], { 'kubernetes.io/config.mirror': 'x' });
  expect(validateEphemeralContainersUpdate(pod([debug]), mirror)).toHaveLength(1);
});
