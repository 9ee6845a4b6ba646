// The store of a stopped server: the data of its etcd member. It is read from a copy, because an etcd that has lost the
// other members serves only as a new cluster.

import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { silentLogger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { openEtcdCluster } from '../../store/store.ts';
import { issue, type KeyPair } from '../certificates/certificates.ts';
import type { DataDirectory } from '../data-directory.ts';
import { EtcdMemberError, endFormerMember, openCopiedMember, readMember } from '../etcd-member/etcd-member.ts';
import { readClusterUid } from './content.ts';
import { BackupError } from './folder.ts';
import type { PresentStore } from './present.ts';

/**
 * Empty without a member. `scratch` gets the copy. Rejects with BackupError while other members run, and where there is
 * no etcd program.
 */
export async function presentMember(
  { root, pki }: DataDirectory,
  scratch: string,
  clock: Clock,
): Promise<readonly PresentStore[]> {
  const etcd = path.join(root, 'etcd');
  const data = path.join(etcd, 'data');
  if (!existsSync(data)) return [];
  const ca = await readAuthority(pki);
  const { others = [] } = (await readMember(etcd).catch(() => undefined)) ?? {};
  if (ca) await refuseOthers(others, ca, clock);
  await endFormerMember(etcd, clock);
  const unreadable = (problem: string) => [{ place: root, problem, revision: 0 }];
  if (!ca) return unreadable(`${pki} has no authority for etcd`);
  try {
    const { store, stop } = await openCopiedMember({ data, directory: scratch, ca }, { clock, logger: silentLogger });
    const close = async () => {
      await stop();
      await rm(scratch, { recursive: true, force: true });
    };
    return [{ place: root, store, close, revision: await store.revision(), clusterUid: await readClusterUid(store) }];
  } catch (error) {
    if (!(error instanceof EtcdMemberError)) throw error;
    return unreadable(error.message);
  }
}

async function readAuthority(pki: string): Promise<KeyPair | undefined> {
  const read = (ending: string) => readFile(path.join(pki, `etcd-ca.${ending}`), 'utf8').catch(() => undefined);
  const [cert, key] = await Promise.all([read('crt'), read('key')]);
  return cert && key ? { cert, key } : undefined;
}

/** Two clusters with the same keys and addresses would answer the same clients. */
async function refuseOthers(others: readonly string[], ca: KeyPair, clock: Clock): Promise<void> {
  const request = { name: 'client', commonName: 'kube-apiserver-etcd-client', usage: 'client' } as const;
  const client = await issue(ca, request, clock.now());
  const cluster = await openEtcdCluster({ clock, endpoints: () => others, tls: { ca: ca.cert, ...client } });
  const answers = (url: string) =>
    cluster.status(url).then(
      () => true,
      () => false,
    );
  const asked = await Promise.all(others.map(answers)).finally(() => cluster.close());
  const answering = others.filter((_, index) => asked[index]);
  if (answering.length > 0)
    throw new BackupError(
      `the cluster runs: its etcd answers at ${answering.join(', ')}. Stop every server with "coracle down"`,
    );
}
