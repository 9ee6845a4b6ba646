import { expect, test } from 'vitest';
import { getsGroup } from './mount-volume.ts';
import { volumeOf } from './test-node.ts';

test.each([
  ['None', {}, false],
  ['File', {}, true],
  ['File', { readOnly: true }, false],
  ['ReadWriteOnceWithFSType', {}, true],
  ['ReadWriteOnceWithFSType', { source: { fsType: '' } }, false],
  ['ReadWriteOnceWithFSType', { volume: volumeOf({ accessModes: ['ReadWriteMany'] } as never) }, false],
  ['ReadWriteOnceWithFSType', { volume: volumeOf({ accessModes: ['ReadWriteOncePod'] } as never) }, true],
  ['ReadWriteOnceWithFSType', { lifecycle: 'Ephemeral' }, true],
])('fsGroup with the policy %s and %j: %s', (policy, change, expected) => {
  const volume = {
    lifecycle: 'Persistent',
    readOnly: false,
    source: { fsType: 'ext4' },
    volume: volumeOf(),
    ...change,
  };
  expect(getsGroup(volume as never, policy)).toBe(expected);
});
