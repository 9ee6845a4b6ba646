import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PersistentVolume } from '../../api/api.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { HostPathVolumes } from './host-path-volumes.ts';

const name = 'pvc-00000000-0000-4000-8000-000000000001';
let root: string;
let directory: string;
let volumes: HostPathVolumes;
const open = async () => {
  volumes = new HostPathVolumes(directory, silentLogger);
  await volumes.start();
};
beforeEach(async () => {
  root = realpathSync(mkdtempSync(path.join(tmpdir(), 'coracle-host-path-')));
  directory = path.join(root, 'volumes');
  await open();
});
afterEach(async () => {
  await volumes.stop();
  rmSync(root, { recursive: true });
});

const volume = (at = path.join(directory, name), provisioner = 'coracle.local/host-path'): PersistentVolume =>
  ({
    metadata: { name, annotations: { 'pv.kubernetes.io/provisioned-by': provisioner } },
    spec: { hostPath: { path: at } },
  }) as unknown as PersistentVolume;
const modeOf = (file: string) => statSync(file).mode & 0o7777;
const own = () => path.join(directory, name);

test('every user of a container may write to a volume, and no other user of the machine reaches it', async () => {
  await volumes.ensure(volume());
  expect([modeOf(own()), modeOf(directory)]).toEqual([0o777, 0o700]);
  writeFileSync(path.join(own(), 'data'), 'kept');
  await volumes.ensure(volume());
  expect(readdirSync(own())).toEqual(['data']);
});

test('volumes of other provisioners are left alone', async () => {
  await volumes.ensure(volume('/elsewhere', 'example.com/disk'));
  expect(readdirSync(directory)).toEqual(['.removed']);
});

test.each([
  ['of another directory', () => volume('/etc')],
  ['of another node', () => volume(path.join(root, 'other', name))],
  ['with a name that leads out', () => ({ ...volume(), metadata: { ...volume().metadata, name: '../etc' } })],
])('a volume %s is refused', async (_, wrong) => {
  await expect(volumes.ensure(wrong())).rejects.toThrow('this node has its volumes in');
});

test('a link in the place of a volume is not followed', async () => {
  mkdirSync(path.join(root, 'secret'));
  symlinkSync(path.join(root, 'secret'), own());
  await expect(volumes.ensure(volume())).rejects.toThrow();
  await volumes.remove(name);
  await volumes.stop();
  expect(existsSync(path.join(root, 'secret'))).toBe(true);
  expect(existsSync(own())).toBe(false);
});

test('a link inside a volume is removed, and its target stays', async () => {
  await volumes.ensure(volume());
  mkdirSync(path.join(root, 'secret/deep'), { recursive: true });
  symlinkSync(path.join(root, 'secret'), path.join(own(), 'link'));
  await volumes.remove(name);
  await volumes.stop();
  expect(readdirSync(path.join(directory, '.removed'))).toEqual([]);
  expect(existsSync(path.join(root, 'secret/deep'))).toBe(true);
});

test('a removed volume is gone at once, also for a pod that is about to mount it', async () => {
  await volumes.ensure(volume());
  writeFileSync(path.join(own(), 'data'), 'gone');
  await volumes.remove(name);
  expect(existsSync(own())).toBe(false);
  await expect(volumes.ensure(volume())).rejects.toThrow(`volume ${name} was deleted`);
  await volumes.remove(name);
});

test('after a crash between the two steps of a removal the next start completes it', async () => {
  await volumes.ensure(volume());
  mkdirSync(path.join(directory, '.removed', name, 'deep'), { recursive: true });
  await volumes.stop();
  await open();
  await volumes.stop();
  expect(readdirSync(path.join(directory, '.removed'))).toEqual([]);
  expect(existsSync(own())).toBe(true);
});
