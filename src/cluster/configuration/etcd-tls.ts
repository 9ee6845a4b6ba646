// The files by which the client of an external etcd trusts and identifies itself.

import type { EtcdTls } from '../../store/store.ts';
import { readAuthorities, readKeyPair } from '../api-server/files.ts';
import type { EtcdFiles } from '../settings/store-settings.ts';

/** The texts of the files. Rejects with flag, file and cause. */
export async function readEtcdTls({ etcdCafile, etcdCertfile, etcdKeyfile }: EtcdFiles): Promise<EtcdTls> {
  const ca = await readAuthorities('etcd-cafile', etcdCafile ?? '');
  const files = { 'etcd-certfile': etcdCertfile ?? '', 'etcd-keyfile': etcdKeyfile ?? '' };
  const pair = await readKeyPair(['etcd-certfile', 'etcd-keyfile'], files);
  return { ...(ca !== undefined && { ca }), ...pair };
}
