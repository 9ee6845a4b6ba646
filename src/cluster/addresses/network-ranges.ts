// Addresses for pods and services. Clusters on one machine must not overlap: each takes the first ranges that no other
// cluster and no network of the machine has, and stores them in its data directory.

import { createHash } from 'node:crypto';
import { existsSync, readlinkSync } from 'node:fs';
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type ClusterConfig, defaultRanges, overlap, type Ranges, runConfigOf } from '../config.ts';
import { type DataDirectory, DataDirectoryError } from '../data-directory.ts';
import { machineAddresses } from './node-addresses.ts';

/** The first is Kubernetes' custom; 10.240.0.0/12 is left out, for it holds the pods' ranges. */
const slots: readonly Ranges[] = Array.from({ length: 9 }, (_, i) => ({
  clusterCidr: `10.${244 + i}.0.0/16`,
  serviceCidr: `10.${96 + 16 * i}.0.0/12`,
}));

/** The claims of this machine's clusters: one file each. */
const registry = '/var/lib/coracle/.networks';

const otherRanges = 'choose others, or leave the options out';

const ofClusters = /^(lo$|cor|cni)/;

export const thisMachine = (): Machine => ({
  registry,
  addresses: machineAddresses(undefined, ofClusters).map(({ address }) => address),
  network: networkNamespace(),
});

interface Machine {
  readonly registry: string;
  readonly addresses: readonly string[];
  readonly network: string;
}

/** The ranges of a cluster: the configured ones, and for the rest the first free ones. They are permanent. */
export async function withOwnRanges(
  config: ClusterConfig,
  directory: DataDirectory,
  machine: Machine = thisMachine(),
  remedy = otherRanges,
): Promise<Ranges> {
  if (config.runtime === 'simulated' || !config.components.includes('kubelet')) return defaultRanges(config);
  const file = directory.ranges;
  const kept = await readRanges(file);
  if (kept) return checkKept(kept, config, directory.root);
  // Settings of other families are refused before the ranges are permanent.
  runConfigOf(config, defaultRanges(config));
  const ranges = await claimRanges(config, directory.root, machine, remedy);
  await writeFile(`${file}.new`, `${JSON.stringify(ranges)}\n`);
  await rename(`${file}.new`, file);
  return ranges;
}

function checkKept(kept: Ranges, given: Partial<Ranges>, root: string): Ranges {
  const flags = { serviceCidr: '--service-cidr', clusterCidr: '--cluster-cidr' } as const;
  for (const name of ['serviceCidr', 'clusterCidr'] as const)
    if (given[name] !== undefined && given[name] !== kept[name])
      throw new DataDirectoryError(
        `the cluster in ${root} has ${flags[name]} ${kept[name]}, which cannot change while it has data: leave the option out, or start again with another --data-dir`,
      );
  return kept;
}

/** Claims the ranges of a restored cluster for the directory. Throws DataDirectoryError if another cluster has them. */
export async function claimRestoredRanges(
  file: string,
  directory: DataDirectory,
  machine: Machine = thisMachine(),
): Promise<void> {
  const [restored, present] = [await readRanges(file), await readRanges(directory.ranges)];
  // The machine may still have addresses of the present cluster.
  const isPresent = restored?.clusterCidr === present?.clusterCidr && restored?.serviceCidr === present?.serviceCidr;
  if (restored && !isPresent) await claimRanges(restored, directory.root, machine, otherRanges);
}

/** The next start chooses ranges again. */
export async function forgetRanges(directory: Pick<DataDirectory, 'root' | 'ranges'>): Promise<void> {
  await rm(directory.ranges, { force: true });
  await releaseRanges(directory.root);
}

/** Releases the ranges of a removed cluster. */
export async function releaseRanges(dataDirectory: string, from: string = registry): Promise<void> {
  for (const name of await readdir(from).catch(() => [])) {
    const file = path.join(from, name);
    const text = await readFile(file, 'utf8').catch(() => '');
    if (text.includes(JSON.stringify(dataDirectory))) await rm(file, { force: true });
  }
}

/** The ranges of a cluster that has started here. Throws DataDirectoryError. */
export async function readRanges(file: string): Promise<Ranges | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const { clusterCidr, serviceCidr } = JSON.parse(text);
    if (typeof clusterCidr === 'string' && typeof serviceCidr === 'string') return { clusterCidr, serviceCidr };
  } catch {} // reported below
  throw new DataDirectoryError(
    `${file} is damaged: write the cluster's ranges into it, such as ${JSON.stringify(slots[0])}, or start again with another --data-dir`,
  );
}

async function claimRanges(
  config: Partial<Ranges>,
  dataDirectory: string,
  machine: Machine,
  remedy: string,
): Promise<Ranges> {
  await mkdir(machine.registry, { recursive: true });
  const { serviceCidr, clusterCidr } = config;
  const given = { ...(serviceCidr && { serviceCidr }), ...(clusterCidr && { clusterCidr }) };
  const taken = new Set<string>();
  for (const candidate of slots.map((slot) => ({ ...slot, ...given }))) {
    const foreign = machine.addresses.find((ip) => conflicts(candidate, [`${ip}/${ip.includes(':') ? 128 : 32}`]));
    const other = await conflictingClaim(candidate, dataDirectory, machine);
    if (foreign) taken.add(`this machine's address ${foreign}`);
    else if (other) taken.add(`the cluster in ${other}`);
    else if (overlap(candidate.serviceCidr, candidate.clusterCidr)) taken.add('each other');
    else if (await claimSlot(candidate, dataDirectory, machine)) return candidate;
  }
  if (serviceCidr || clusterCidr)
    throw new DataDirectoryError(
      `the ranges ${[serviceCidr && `--service-cidr ${serviceCidr}`, clusterCidr && `--cluster-cidr ${clusterCidr}`].filter(Boolean).join(' and ')} overlap with ${[...taken].join(' and ')}: ${remedy}`,
    );
  throw new DataDirectoryError(
    `no range of addresses is left for another cluster on this machine: remove one with "coracle down --delete" (${machine.registry} names them)`,
  );
}

const fileOf = ({ clusterCidr }: Ranges, { registry, network }: Machine) =>
  path.join(registry, `${clusterCidr.replaceAll('/', '_')}${network === mainNetwork ? '' : `_${network}`}`);

/** The namespace of a machine's first process. */
const mainNetwork = 'main';

function networkNamespace(): string {
  const of = (pid: string) => {
    try {
      return readlinkSync(`/proc/${pid}/ns/net`).replace(/\D/g, '');
    } catch {
      return mainNetwork;
    }
  };
  const own = of('self');
  return own === of('1') ? mainNetwork : own;
}

const conflicts = ({ serviceCidr, clusterCidr }: Ranges, others: readonly string[]): boolean =>
  others.some((other) => overlap(serviceCidr, other) || overlap(clusterCidr, other));

/** The data directory of another cluster with overlapping ranges. */
async function conflictingClaim(
  ranges: Ranges,
  dataDirectory: string,
  { registry, network }: Machine,
): Promise<string | undefined> {
  for (const name of await readdir(registry)) {
    const claim = parseClaim(await readFile(path.join(registry, name), 'utf8').catch(() => ''));
    if (claim && (claim.network ?? mainNetwork) !== network) continue;
    if (claim && claim.dataDirectory !== dataDirectory && conflicts(ranges, [claim.serviceCidr, claim.clusterCidr]))
      if (await isTaken(claim, dataDirectory)) return claim.dataDirectory;
  }
  return undefined;
}

interface Claim extends Ranges {
  readonly dataDirectory: string;
  readonly pid: number;
  /** Network namespace: ranges of others do not matter. */
  readonly network?: string;
}

/** Undefined for a file that was written half when the machine went down. */
function parseClaim(text: string): Claim | undefined {
  try {
    return JSON.parse(text) as Claim;
  } catch {
    return undefined;
  }
}

/** False when another cluster that still exists has the slot. */
async function claimSlot(ranges: Ranges, dataDirectory: string, machine: Machine): Promise<boolean> {
  const file = fileOf(ranges, machine);
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text !== undefined) {
    const claim = parseClaim(text);
    if (claim && (await isTaken(claim, dataDirectory))) return false;
    await rm(file, { force: true });
  }
  // Creating a link with its content is atomic.
  const making = `${file}.${createHash('sha256').update(dataDirectory).digest('hex').slice(0, 16)}`;
  await writeFile(making, JSON.stringify({ dataDirectory, pid: process.pid, network: machine.network, ...ranges }));
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

async function isTaken(claim: Claim, dataDirectory: string): Promise<boolean> {
  if (claim.dataDirectory === dataDirectory) return false;
  if (existsSync(path.join(claim.dataDirectory, 'network.json'))) return true;
  try {
    process.kill(claim.pid, 0); // it may be about to write its ranges down
    return existsSync(claim.dataDirectory);
  } catch {
    return false;
  }
}
