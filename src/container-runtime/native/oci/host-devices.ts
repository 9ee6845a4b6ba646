// The devices of the machine that a container's configuration names.

import * as fs from 'node:fs';
import { join, posix } from 'node:path';
import type { Device } from '../../interface.ts';
import { RuntimeError } from '../../runtime-error.ts';
import { numbersOf } from './device-numbers.ts';
import type { OciDevice } from './oci-types.ts';

export interface GivenDevice {
  readonly device: OciDevice & { readonly type: 'c' | 'b' };
  /** Any of r, w and m. */
  readonly access: string;
}

const deepest = 4;
const mostDevices = 4096;

/** Throws an Error if there is no device node. */
export function readDevice(path: string): Pick<OciDevice, 'type' | 'major' | 'minor' | 'fileMode'> {
  const found = fs.lstatSync(path, { throwIfNoEntry: false });
  if (!found) throw new Error(`failed to stat CDI host device ${JSON.stringify(path)}: no such file or directory`);
  const type = found.isBlockDevice() ? 'b' : found.isCharacterDevice() ? 'c' : found.isFIFO() ? 'p' : undefined;
  if (!type) throw new Error(`failed to stat CDI host device ${JSON.stringify(path)}: not a device node`);
  return { type, ...numbersOf(found.rdev), fileMode: found.mode & 0o7777 };
}

/** Throws RuntimeError('create'), in containerd's words, if one is missing. */
export function hostDevices(devices: readonly Device[]): readonly GivenDevice[] {
  const found = devices.flatMap(({ hostPath, containerPath, permissions }) =>
    devicesAt(hostPath, posix.normalize(`/${containerPath}`), 0).map((device) => ({ device, access: permissions })),
  );
  if (found.length > mostDevices)
    throw new RuntimeError('create', `failed to generate container spec: more than ${mostDevices} devices`);
  return found;
}

function devicesAt(hostPath: string, path: string, depth: number): GivenDevice['device'][] {
  const fail = (why: string): never => {
    const text = `error gathering device information while adding custom device "${hostPath}": ${why}`;
    throw new RuntimeError('create', `failed to generate container spec: ${text}`);
  };
  const found = fs.statSync(hostPath, { throwIfNoEntry: false });
  if (!found) return fail('no such file or directory');
  if (found.isDirectory()) {
    if (depth > deepest) return [];
    const entries = fs.readdirSync(hostPath, { withFileTypes: true });
    const inner = entries.filter((e) => e.isDirectory() || e.isCharacterDevice() || e.isBlockDevice());
    return inner.flatMap(({ name }) => devicesAt(join(hostPath, name), posix.join(path, name), depth + 1));
  }
  if (!found.isCharacterDevice() && !found.isBlockDevice()) return fail('not a device node');
  const { rdev, uid, gid, mode } = found;
  return [{ path, type: found.isBlockDevice() ? 'b' : 'c', ...numbersOf(rdev), fileMode: mode & 0o7777, uid, gid }];
}
