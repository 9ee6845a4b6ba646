// The claims on disk, in the format of Kubernetes: the next kubelet frees the claims that this one had prepared.

import { mkdir, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { type Fields, isList } from '../../machinery/parsed.ts';
import { corrupted, objectIn, textIn } from '../files/checkpoint-fields.ts';
import type { ClaimDevice, ClaimInfo } from './claim-state.ts';

const fileName = 'dra_manager_state';
const typeMeta = { kind: 'DRACheckpoint', apiVersion: 'checkpoint.dra.kubelet.k8s.io/v1' };

export async function writeClaims(directory: string, claims: readonly ClaimInfo[]): Promise<void> {
  const data = JSON.stringify({ ...typeMeta, ClaimInfoStateList: claims.map(toEntry) });
  await mkdir(directory, { recursive: true, mode: 0o750 });
  const file = path.join(directory, fileName);
  const handle = await open(`${file}.tmp`, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify({ Data: data, Checksum: crc32(data) }));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.tmp`, file);
}

const toEntry = ({ uid, name, namespace, podUids, drivers }: ClaimInfo) => ({
  ...{ ClaimUID: uid, ClaimName: name, Namespace: namespace },
  PodUIDs: Object.fromEntries([...podUids].map((pod) => [pod, {}])),
  DriverState: Object.fromEntries([...drivers].map(([driver, devices]) => [driver, { Devices: devices }])),
});

/** None without a file. Throws an Error for a damaged one, which drivers' devices depend on. */
export async function readClaims(directory: string): Promise<readonly ClaimInfo[]> {
  const file = path.join(directory, fileName);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  });
  if (text === undefined) return [];
  try {
    return parsed(text);
  } catch (error) {
    const remedy = 'please drain node and remove DRA state file';
    throw new Error(`could not initialize checkpoint manager, ${remedy}, err: ${file}: ${(error as Error).message}`);
  }
}

function parsed(text: string): readonly ClaimInfo[] {
  const content = objectIn(JSON.parse(text));
  const { Data: data, Checksum: checksum } = content;
  if (typeof data !== 'string' || checksum !== crc32(data)) throw new Error('checkpoint is corrupted');
  const list = objectIn(JSON.parse(data))['ClaimInfoStateList'] ?? [];
  if (!isList(list)) throw new Error('checkpoint has no list of claims');
  return list.map((entry) => fromEntry(objectIn(entry)));
}

const fromEntry = (entry: Fields): ClaimInfo => ({
  uid: textIn(entry, 'ClaimUID'),
  name: textIn(entry, 'ClaimName'),
  namespace: textIn(entry, 'Namespace'),
  podUids: new Set(Object.keys(objectIn(entry['PodUIDs'] ?? {}))),
  drivers: new Map(
    Object.entries(objectIn(entry['DriverState'] ?? {})).map(([driver, state]) => [
      driver,
      listIn(objectIn(state), 'Devices').map((device) => deviceIn(objectIn(device))),
    ]),
  ),
  isPrepared: false,
});

const deviceIn = (device: Fields): ClaimDevice => ({
  PoolName: textIn(device, 'PoolName'),
  DeviceName: textIn(device, 'DeviceName'),
  ShareID: device['ShareID'] ? textIn(device, 'ShareID') : null,
  RequestNames: listIn(device, 'RequestNames').map(String),
  CDIDeviceIDs: listIn(device, 'CDIDeviceIDs').map(String),
});
const listIn = (fields: Fields, name: string): readonly unknown[] => {
  const value = fields[name] ?? [];
  return isList(value) ? value : corrupted(name);
};
