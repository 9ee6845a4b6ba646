// A machine of a control plane of several: it shares the keys and the etcd cluster of the others. `startCluster` runs it.

import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../machinery/time/clock.ts';
import { ensureAuthority, type KeyPair } from '../certificates.ts';
import type { ClusterConfig } from '../config.ts';
import { type DataDirectory, DataDirectoryError, hasStore } from '../data-directory.ts';
import { version } from '../version.ts';
import { writeWhole } from '../write-whole.ts';
import { fetchKeys } from './control-plane-keys.ts';
import { checkName, enterCluster } from './join.ts';
import { JoinError } from './join-error.ts';
import { parseSettings, type SharedSettings } from './join-objects.ts';
import type { ServerRequest } from './requests.ts';

/** A server that may start: its keys are in the data directory. */
export interface Server {
  readonly settings: SharedSettings;
  readonly etcdCa: KeyPair;
  /** Client URLs of etcd members; undefined: this machine has its member, or forms the first one. */
  readonly endpoints?: readonly string[];
  /** The start succeeded: from now on the machine is a server. */
  confirm(): Promise<void>;
  /** The first start failed: nothing of it stays. */
  undo(): Promise<void>;
}

const serverFile = ({ root }: DataDirectory) => path.join(root, 'server.json');

/** Undefined for a cluster of one machine. Rejects with JoinError or DataDirectoryError. */
export async function enterControlPlane(
  config: ClusterConfig,
  directory: DataDirectory,
  clock: Clock,
): Promise<Server | undefined> {
  const existing = await readServer(directory);
  if (!existing && !config.server) return undefined;
  if (config.nodeIP.startsWith('127.'))
    throw new JoinError('the other servers must reach this one: give --node-ip with an address of this machine');
  const etcdCa = () => ensureAuthority(directory.pki, 'etcd-ca', clock.now());
  if (existing) return { settings: existing, etcdCa: await etcdCa(), confirm: async () => {}, undo: async () => {} };
  if (await hasStore(directory))
    throw new DataDirectoryError(
      `the cluster in ${directory.root} has an embedded store: save it with "coracle backup create", and restore the file with --store etcd`,
    );
  const { join } = config.server ?? {};
  const undo = async () => {
    if (join) await rm(directory.pki, { recursive: true, force: true });
    await rm(serverFile(directory), { force: true });
  };
  try {
    const joined = join ? await joinControlPlane(join, config, directory, clock) : undefined;
    const settings = joined?.settings ?? firstSettings(config);
    return {
      settings,
      etcdCa: await etcdCa(),
      ...(joined && { endpoints: joined.endpoints }),
      confirm: () => writeWhole(serverFile(directory), `${JSON.stringify(settings)}\n`),
      undo,
    };
  } catch (error) {
    await undo();
    throw error;
  }
}

const firstSettings = ({ serviceCidr, clusterCidr, clusterDomain }: ClusterConfig): SharedSettings => ({
  serviceCidr: serviceCidr ?? '10.96.0.0/12',
  clusterCidr: clusterCidr ?? '10.244.0.0/16',
  clusterDomain,
  version,
});

async function joinControlPlane(
  join: NonNullable<ServerRequest['join']>,
  config: ClusterConfig,
  directory: DataDirectory,
  clock: Clock,
): Promise<{ settings: SharedSettings; endpoints: readonly string[] }> {
  const { settings, client, close } = await enterCluster(join, clock);
  try {
    for (const node of config.nodeNames) await checkName(client, node);
    const endpoints = await fetchKeys(client, directory.pki, join.certificateKey);
    if (endpoints.length === 0)
      throw new JoinError(
        `the cluster at ${join.server} has no etcd that others can join: start it with "coracle server"`,
      );
    return { settings, endpoints };
  } finally {
    close();
  }
}

async function readServer(directory: DataDirectory): Promise<SharedSettings | undefined> {
  const file = serverFile(directory);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const settings = parseSettings(text);
  if (settings) return settings;
  throw new DataDirectoryError(`${file} is damaged: restore it from a backup of ${directory.root}`);
}
