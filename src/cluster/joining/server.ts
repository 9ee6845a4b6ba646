// A machine of a control plane of several: it shares the keys and the etcd cluster of the others. `startCluster` runs it.

import { readFile, rm } from 'node:fs/promises';
import { fieldsIn, textIn } from '../../machinery/parsed.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { forgetRanges, readRanges } from '../addresses/network-ranges.ts';
import { isLocalOnly } from '../addresses/node-addresses.ts';
import { ensureAuthority } from '../certificates/certificates.ts';
import { type ClusterConfig, defaultRanges, type Ranges } from '../config.ts';
import { type DataDirectory, DataDirectoryError } from '../data-directory.ts';
import { version } from '../version.ts';
import { writeWhole } from '../write-whole.ts';
import { hostAndPort } from './balancer.ts';
import { fetchKeys } from './control-plane-keys.ts';
import { checkName, enterCluster } from './join.ts';
import { JoinError } from './join-error.ts';
import { parseSettings } from './join-objects.ts';
import { needsMigration } from './migrate.ts';
import { checkServerDirectory, requestedServer, serverFile } from './server-directory.ts';
import type { Server, ServerRequest, SharedSettings } from './types.ts';

const nothing = { confirm: async () => {}, undo: async () => {} };

/** Undefined for a cluster of one machine. Rejects with JoinError or DataDirectoryError. */
export async function enterControlPlane(
  config: ClusterConfig,
  directory: DataDirectory,
  clock: Clock,
): Promise<Server | undefined> {
  const existing = await readServer(directory, config.nodeNames[0]);
  const server = existing ? config.server : await requestedServer(config, directory);
  await checkServerDirectory(server ? { server } : {}, directory, existing !== undefined);
  if (!existing && !server) return undefined;
  if (isLocalOnly(config.nodeIP))
    throw new JoinError('the other servers must reach this one: give --node-ip with an address of this machine');
  const etcdCa = () => ensureAuthority(directory.pki, 'etcd-ca', clock.now());
  if (existing) return { settings: existing, etcdCa: await etcdCa(), isConfirmed: true, ...nothing };
  const { join } = server ?? {};
  if (join && needsMigration(directory))
    throw new DataDirectoryError(
      `${directory.root} has the data of another cluster: choose another --data-dir, or remove it with "coracle down --delete"`,
    );
  const hadRanges = (await readRanges(directory.ranges)) !== undefined;
  let isConfirmed = false;
  const undo = async () => {
    if (isConfirmed) return;
    if (join) await rm(directory.pki, { recursive: true, force: true });
    if (join && !hadRanges) await forgetRanges(directory);
    await rm(serverFile(directory), { force: true });
  };
  try {
    const joined = join ? await joinControlPlane(join, config, directory, clock) : undefined;
    const settings = joined?.settings ?? firstSettings(config, await readRanges(directory.ranges));
    return {
      settings,
      etcdCa: await etcdCa(),
      ...(joined && { endpoints: joined.endpoints }),
      get isConfirmed() {
        return isConfirmed;
      },
      async confirm() {
        await writeWhole(serverFile(directory), `${JSON.stringify({ ...settings, node: config.nodeNames[0] })}\n`);
        isConfirmed = true;
      },
      undo,
    };
  } catch (error) {
    await undo();
    throw error;
  }
}

/** A cluster that had one server until now keeps its ranges. */
const firstSettings = (config: ClusterConfig, kept: Ranges | undefined): SharedSettings => ({
  ...defaultRanges({ ...config, ...kept }),
  clusterDomain: config.clusterDomain,
  version,
});

async function joinControlPlane(
  join: NonNullable<ServerRequest['join']>,
  config: ClusterConfig,
  directory: DataDirectory,
  clock: Clock,
): Promise<{ settings: SharedSettings; endpoints: readonly string[] }> {
  const { settings, server, client, close } = await enterCluster(join, clock);
  try {
    checkPort(server, config.port);
    checkCloud(settings, config);
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

/** The endpoints of the service kubernetes have one port. */
export function checkPort(server: string, port: number | undefined): void {
  const [theirs = ''] = /\d+$/.exec(hostAndPort(server)) ?? [];
  if (theirs !== String(port))
    throw new JoinError(`all servers of a cluster have the same port: start this one with --port ${theirs}`);
}

/** Any server may lead the cloud controllers. */
export function checkCloud(settings: SharedSettings, { cloudProvider = 'local' }: ClusterConfig): void {
  const { cloudProvider: theirs = 'local' } = settings;
  if (theirs !== cloudProvider)
    throw new JoinError(
      `all servers of a cluster have the same cloud: start this one with --cloud-provider ${theirs}${theirs === 'local' ? '' : ' and its --cloud-config'}`,
    );
}

/** Rejects for another node name: it may be that of another server, whose node this one would take over. */
async function readServer(directory: DataDirectory, nodeName: string): Promise<SharedSettings | undefined> {
  const file = serverFile(directory);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const settings = parseSettings(text);
  // Servers of earlier versions have not recorded it.
  const node = settings && textIn(fieldsIn(JSON.parse(text))['node']);
  if (node && node !== nodeName)
    throw new JoinError(
      `this server is the node ${node}, and a server keeps its name: start it with --node-name ${node}; for the name ${nodeName}, let it leave ("coracle down --delete") and join again`,
    );
  if (settings) return settings;
  throw new DataDirectoryError(`${file} is damaged: restore it from a backup of ${directory.root}`);
}
