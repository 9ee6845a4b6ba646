// An etcd that serves a copy of a member's data, as a new cluster of one on loopback.

import { constants } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { type EtcdTls, openEtcdForRestore, type Store } from '../../store/store.ts';
import type { KeyPair } from '../certificates/certificates.ts';
import type { Environment } from '../context.ts';
import { etcdArguments } from './arguments.ts';
import { EtcdProcess } from './etcd-process.ts';
import { EtcdMemberError } from './interface.ts';
import { memberLayout } from './layout.ts';
import { ensureMemberCertificates } from './member-certificates.ts';
import { freePort } from './ports.ts';
import { findEtcd } from './program.ts';

const address = '127.0.0.1';
const startMs = 30_000;
const pollMs = 100;

interface Copy {
  /** Of the member. */
  readonly data: string;
  /** Gets the copy. */
  readonly directory: string;
  readonly ca: KeyPair;
}

interface CopiedMember {
  /** With the revisions that clients saw. */
  readonly store: Store;
  stop(): Promise<void>;
}

/** Rejects with EtcdMemberError; then no process runs. */
export async function openCopiedMember(
  { data, directory, ca }: Copy,
  context: Pick<Environment, 'clock' | 'logger'>,
): Promise<CopiedMember> {
  const { path: program } = await findEtcd();
  const options = { directory, name: 'copy', address, clientPort: await freePort(), peerPort: await freePort(), ca };
  const layout = memberLayout(options);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await cp(data, layout.data, { recursive: true, mode: constants.COPYFILE_FICLONE });
  const tls = { ca: ca.cert, ...(await ensureMemberCertificates(layout.pki, ca, options, context.clock.now())) };
  const initial = { state: 'existing', members: `copy=${layout.peerUrl}`, token: '' } as const;
  const flags = [...etcdArguments(options, layout, initial), '--force-new-cluster'];
  const { log, runFile } = layout;
  const process = await EtcdProcess.start(context, { program, arguments: flags, log, runFile });
  try {
    const store = await serving(process, layout.clientUrl, tls, context.clock);
    return {
      store,
      async stop() {
        await store.close();
        await process.stop();
      },
    };
  } catch (error) {
    await process.stop();
    throw error;
  }
}

async function serving(process: EtcdProcess, url: string, tls: EtcdTls, clock: Environment['clock']): Promise<Store> {
  const lastMs = clock.monotonic() + startMs;
  let end: string | undefined;
  void process.firstEnd.then((why) => {
    end = why;
  });
  for (;;)
    try {
      return (await openEtcdForRestore({ endpoints: [url], tls, clock })).store;
    } catch (error) {
      if (end !== undefined || clock.monotonic() > lastMs)
        throw new EtcdMemberError(`etcd does not start: ${end ?? (error as Error).message}`);
      await clock.sleep(pollMs);
    }
}
