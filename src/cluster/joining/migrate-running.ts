// The store of a running cluster is copied into an etcd member of this machine, while the API server answers reads. The
// start as a server then finds the copy, and uses etcd from then on. Until that start nothing changes for the cluster.

import { rm } from 'node:fs/promises';
import path from 'node:path';
import { ensureAuthority } from '../certificates/certificates.ts';
import type { Environment } from '../context.ts';
import { startEtcdMember } from '../etcd-member/etcd-member.ts';
import type { Cluster } from '../start.ts';
import { JoinError } from './join-error.ts';
import { copyToEtcd, needsMigration } from './migrate.ts';

export interface CopiedStore {
  /** That was copied; no write has followed it. */
  readonly revision: number;
  /** Ends etcd; its data stays. */
  stop(): Promise<void>;
}

const refusal = 'the store of the cluster moves into etcd: writes are possible again in a moment';

/** Writes are refused from now on. Rejects with the reason when the copy fails: then they are accepted again. */
export async function copyToMember(
  { config, directory, writes, store }: Pick<Cluster, 'config' | 'directory' | 'writes' | 'store'>,
  environment: Pick<Environment, 'clock' | 'random' | 'logger'>,
  startMember = startEtcdMember,
): Promise<CopiedStore> {
  if (!needsMigration(directory)) throw new JoinError(`${directory.root} has no embedded store that could move`);
  const etcd = path.join(directory.root, 'etcd');
  const ca = await ensureAuthority(directory.pki, 'etcd-ca', environment.clock.now());
  // The remains of an earlier attempt are older than the store.
  await rm(etcd, { recursive: true, force: true });
  const member = await startMember(
    { directory: etcd, name: config.nodeNames[0], address: config.nodeIP, ca },
    environment,
  );
  try {
    await writes.pause(refusal);
    const revision = await copyToEtcd(directory, store, member, environment);
    return { revision, stop: () => member.stop() };
  } catch (error) {
    writes.resume();
    await member.stop();
    await rm(etcd, { recursive: true, force: true });
    throw error;
  }
}
