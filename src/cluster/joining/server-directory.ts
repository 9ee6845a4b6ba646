// Whether a data directory can be that of a server. A server that lost its etcd member must not begin an empty cluster.

import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type DataDirectory, DataDirectoryError, hasMoved, hasStore } from '../data-directory.ts';
import { lostRemedy, readMember } from '../etcd-member/etcd-member.ts';
import { caHashes } from './ca-hash.ts';
import { JoinError } from './join-error.ts';
import { membershipFile } from './membership.ts';
import { needsMigration } from './migrate.ts';
import type { ServerRequest } from './types.ts';

export const serverFile = ({ root }: DataDirectory): string => path.join(root, 'server.json');

/**
 * The request of a machine that was no server yet. After a move into etcd that was cut short when all was copied, "up"
 * goes on as the first server.
 */
export async function requestedServer(
  { server }: { readonly server?: ServerRequest },
  directory: DataDirectory,
): Promise<ServerRequest | undefined> {
  if (server || !hasMoved(directory) || needsMigration(directory)) return server;
  const member = await readMember(path.join(directory.root, 'etcd'));
  return member?.phase === 'member' && member.others.length === 0 ? { init: true } : undefined;
}

/** `wasServer`: the machine has started as a server before. Throws DataDirectoryError or JoinError. */
export async function checkServerDirectory(
  { server }: { readonly server?: ServerRequest },
  directory: DataDirectory,
  wasServer: boolean,
): Promise<void> {
  const { root } = directory;
  const remove = 'choose another --data-dir, or remove it with "coracle down --delete"';
  if (await exists(membershipFile(directory)))
    throw new DataDirectoryError(`${root} is that of a node, which "coracle agent" starts: ${remove}`);
  if (!server && !wasServer) {
    if (hasMoved(directory))
      throw new DataDirectoryError(
        `the data in ${root} moved into etcd, and the first start as a server did not end: repeat "coracle server --cluster-init"`,
      );
    return;
  }
  const etcd = path.join(root, 'etcd');
  const member = await readMember(etcd);
  if (wasServer && !member)
    throw new DataDirectoryError(`${etcd} has no etcd member, although this machine was a server: ${lostRemedy}`);
  if (wasServer && needsMigration(directory))
    throw new DataDirectoryError(
      `${root} has an embedded store besides the etcd of the servers: move ${directory.store} to another place`,
    );
  const { join, init } = server ?? {};
  if (!wasServer && !join && !init)
    throw new JoinError(
      `${root} belongs to no control plane yet: give --cluster-init on the first server of a new cluster; on others give --join, --token, --ca-cert-hash and --certificate-key, as "coracle token create --server" prints them`,
    );
  const isOfOthers = member !== undefined && (member.phase === 'joining' || member.others.length > 0);
  if (!wasServer && init && isOfOthers)
    throw new DataDirectoryError(`this machine began to join a cluster: repeat the command with --join, or ${remove}`);
  if (!wasServer && join && member && !isOfOthers)
    throw new DataDirectoryError(`${root} has the etcd member of another cluster: ${remove}`);
  if (join && (wasServer || member)) await checkAuthority(directory, join.hashes, remove);
}

/** A node cannot live in the directory of a server. Throws DataDirectoryError. */
export async function checkNodeDirectory(directory: DataDirectory): Promise<void> {
  if ((await exists(serverFile(directory))) || (await hasStore(directory)))
    throw new DataDirectoryError(
      `${directory.root} is that of a cluster's server: choose another --data-dir, or remove it with "coracle down --delete"`,
    );
}

async function checkAuthority({ root, pki }: DataDirectory, hashes: readonly string[], remove: string): Promise<void> {
  const own = caHashes(await readFile(path.join(pki, 'ca.crt'), 'utf8').catch(() => ''));
  if (own.length > 0 && !own.some((hash) => hashes.includes(hash)))
    throw new DataDirectoryError(`${root} belongs to another cluster (CA ${own.join()}): ${remove}`);
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
