import { expect, test } from 'vitest';
import {
  allocatedAnnotations,
  allocatedDevices,
  allocatedEnvironment,
  allocatedMounts,
  cdiDevicesOf,
} from './allocated-devices.ts';

const answer = (path: string, value: string) => ({
  envs: { KEY: value },
  mounts: [{ containerPath: '/m', hostPath: path, readOnly: true }],
  devices: [{ containerPath: '/dev/d', hostPath: path, permissions: 'rw' }],
  annotations: { key: value },
  cdiDevices: [{ name: 'vendor.com/class=0' }],
});
const two = [{ answer: answer('/var/lib/kubelet/first', '1') }, { answer: answer('/second', '2') }];

test('of two answers with equal names the first counts', () => {
  expect(allocatedEnvironment(two)).toEqual([{ key: 'KEY', value: '1' }]);
  expect(allocatedAnnotations(two)).toEqual({ key: '1' });
  expect(allocatedDevices(two)).toEqual([
    { containerPath: '/dev/d', hostPath: '/var/lib/kubelet/first', permissions: 'rw' },
  ]);
  expect(cdiDevicesOf(two)).toEqual({ cdiDevices: ['vendor.com/class=0'] });
});

test("a mount below the kubelet's standard directory is one of this kubelet's", () => {
  expect(allocatedMounts(two, '/data/kubelet')).toEqual([
    { containerPath: '/m', hostPath: '/data/kubelet/first', readOnly: true, propagation: 'private' },
  ]);
});

test('a container without devices has nothing of it', () => {
  expect(cdiDevicesOf([])).toEqual({});
  expect(allocatedDevices([])).toEqual([]);
});
