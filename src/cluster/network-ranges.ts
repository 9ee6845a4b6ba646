// Addresses for pods and services. Clusters of one machine must not have the same ones: each takes the first ranges
// that no other cluster and no network of the machine has, and keeps them in its data directory.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type ClusterConfig, defaultClusterCidr, defaultServiceCidr } from './config.ts';
import { type DataDirectory, DataDirectoryError } from './data-directory.ts';

type Ranges = Pick<ClusterConfig, 'serviceCidr' | 'clusterCidr'>;

/** The first is Kubernetes' custom; 10.240.0.0/12 is left out, for it holds the pods' ranges. */
const slots: readonly Ranges[] = Array.from({ length: 9 }, (_, i) => ({
  clusterCidr: `10.${244 + i}.0.0/16`,
  serviceCidr: `10.${96 + 16 * i}.0.0/12`,
}));

/** Who has which ranges on this machine: one file a slot. */
const registry = '/var/lib/coracle/.networks';

/** The configuration with ranges of its own. Ranges that were asked for by name stay as they are. */
export async function withOwnRanges(
  config: ClusterConfig,
  directory: DataDirectory,
  machine: { readonly registry: string; readonly addresses: readonly string[] } = {
    registry,
    addresses: machineAddresses(),
  },
): Promise<ClusterConfig> {
  const given = config.clusterCidr !== defaultClusterCidr || config.serviceCidr !== defaultServiceCidr;
  if (given || config.runtime === 'simulated' || !config.components.includes('kubelet')) return config;
  const file = path.join(directory.root, 'network.json');
  const known = await readRanges(file);
  if (known) return { ...config, ...known };
  const ranges = await claimRanges(directory.root, machine);
  await writeFile(`${file}.new`, `${JSON.stringify(ranges)}\n`);
  await rename(`${file}.new`, file);
  return { ...config, ...ranges };
}

/** Gives back what a cluster had whose data is removed. */
export async function releaseRanges(dataDirectory: string, from: string = registry): Promise<void> {
  for (const name of await readdir(from).catch(() => [])) {
    const file = path.join(from, name);
    const text = await readFile(file, 'utf8').catch(() => '');
    if (text.includes(JSON.stringify(dataDirectory))) await rm(file, { force: true });
  }
}

async function readRanges(file: string): Promise<Ranges | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const { clusterCidr, serviceCidr } = JSON.parse(text);
    if (typeof clusterCidr === 'string' && typeof serviceCidr === 'string') return { clusterCidr, serviceCidr };
  } catch {} // told below
  throw new DataDirectoryError(
    `${file} is damaged: write the cluster's ranges into it, such as ${JSON.stringify(slots[0])}, or start anew with another --data-dir`,
  );
}

async function claimRanges(
  dataDirectory: string,
  machine: { readonly registry: string; readonly addresses: readonly string[] },
): Promise<Ranges> {
  await mkdir(machine.registry, { recursive: true });
  const free = slots.filter((slot) => !machine.addresses.some((ip) => isWithin(ip, slot)));
  for (const slot of free) {
    const file = path.join(machine.registry, slot.clusterCidr.replace('/', '_'));
    if (await claimSlot(file, dataDirectory)) return slot;
  }
  throw new DataDirectoryError(
    `no range of addresses is left for another cluster on this machine: remove one with "coracle down --delete" (${machine.registry} names them)`,
  );
}

/** False when another cluster that still exists has the slot. */
async function claimSlot(file: string, dataDirectory: string): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text !== undefined) {
    if (await isTaken(text, dataDirectory)) return false;
    await rm(file, { force: true });
  }
  // A link appears with its contents or not at all.
  const making = `${file}.${createHash('sha256').update(dataDirectory).digest('hex').slice(0, 16)}`;
  await writeFile(making, JSON.stringify({ dataDirectory, pid: process.pid }));
  try {
    await link(making, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false; // another cluster was faster
  } finally {
    await rm(making, { force: true });
  }
}

async function isTaken(text: string, dataDirectory: string): Promise<boolean> {
  let owner: { dataDirectory: string; pid: number };
  try {
    owner = JSON.parse(text);
  } catch {
    return false; // written half when the machine went down
  }
  if (owner.dataDirectory === dataDirectory) return false;
  if (existsSync(path.join(owner.dataDirectory, 'network.json'))) return true;
  try {
    process.kill(owner.pid, 0); // it may be about to write its ranges down
    return existsSync(owner.dataDirectory);
  } catch {
    return false;
  }
}

function machineAddresses(): string[] {
  return Object.entries(os.networkInterfaces())
    .filter(([name]) => !/^(lo$|cor|cni)/.test(name)) // clusters' own
    .flatMap(([, addresses]) => addresses ?? [])
    .filter((a) => a.family === 'IPv4')
    .map((a) => a.address);
}

function isWithin(ip: string, { clusterCidr, serviceCidr }: Ranges): boolean {
  const bits = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  return [clusterCidr, serviceCidr].some((cidr) => {
    const [base, prefix] = cidr.split('/');
    const size = 2 ** (32 - Number(prefix));
    return Math.floor(bits(ip) / size) === Math.floor(bits(base) / size);
  });
}
