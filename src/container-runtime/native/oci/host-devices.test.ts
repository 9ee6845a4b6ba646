import { expect, test } from 'vitest';
import { hostDevices } from './host-devices.ts';

test('a device has the numbers and the mode of the machine', () => {
  const [{ device, access }] = hostDevices([{ hostPath: '/dev/null', containerPath: '/dev/x', permissions: 'r' }]);
  expect(device).toMatchObject({ path: '/dev/x', type: 'c', major: 1, minor: 3 });
  expect(access).toBe('r');
});

test('a directory gives the devices in it', () => {
  const found = hostDevices([{ hostPath: '/dev/pts', containerPath: '/terminals', permissions: 'rw' }]);
  expect(found.map(({ device }) => device.path)).toContain('/terminals/ptmx');
});

test.each([
  ['/dev/missing', 'no such file or directory'],
  ['/proc/version', 'not a device node'],
])('%s is refused', (hostPath, why) =>
  expect(() => hostDevices([{ hostPath, containerPath: '/dev/x', permissions: 'rw' }])).toThrow(
    `error gathering device information while adding custom device "${hostPath}": ${why}`,
  ),
);
