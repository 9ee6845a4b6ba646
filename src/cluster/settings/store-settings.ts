// The options of the store.

import path from 'node:path';
import { list, SettingError } from './setting-values.ts';

const stores = ['embedded', 'etcd', 'memory'] as const;
type StoreName = (typeof stores)[number];

/** With the names of kube-apiserver's flags. */
const file = (flag: string, help: string) => ({
  ...{ flag, help, argument: '<file>', isFile: true },
  default: undefined as string | undefined,
  read: (value: string): string | undefined => path.resolve(value),
});

export const storeSettings = {
  store: {
    flag: 'store',
    argument: '<store>',
    help: 'storage of cluster data: embedded is LMDB in the data directory; etcd is a real etcd; memory stores no data on disk',
    default: 'embedded' as StoreName,
    choices: stores,
    read(value: string): StoreName {
      const found = stores.find((name) => name === value);
      if (found === undefined) throw new SettingError(`Allowed choices are ${stores.join(', ')}.`);
      return found;
    },
  },
  etcdEndpoints: {
    flag: 'etcd-endpoints',
    argument: '<urls>',
    help: 'etcd servers for --store etcd, separated by commas',
    default: [] as readonly string[],
    read: list,
  },
  etcdCafile: file('etcd-cafile', 'CA of the certificates of etcd servers (https), in PEM form'),
  etcdCertfile: file('etcd-certfile', 'client certificate for etcd, in PEM form'),
  etcdKeyfile: file('etcd-keyfile', 'key of --etcd-certfile'),
};

export interface EtcdFiles {
  readonly etcdCafile?: string | undefined;
  readonly etcdCertfile?: string | undefined;
  readonly etcdKeyfile?: string | undefined;
}

interface StoreChoice extends EtcdFiles {
  readonly store: StoreName;
  readonly etcdEndpoints: readonly string[];
}

/** Throws SettingError for options that do not belong together. */
export function checkStore({ store, etcdEndpoints, ...files }: StoreChoice): void {
  if (store === 'etcd' && etcdEndpoints.length === 0)
    throw new SettingError('--store etcd needs --etcd-endpoints, such as --etcd-endpoints http://127.0.0.1:2379');
  if (store !== 'etcd' && etcdEndpoints.length > 0) throw new SettingError('--etcd-endpoints needs --store etcd');
  for (const name of ['etcdCafile', 'etcdCertfile', 'etcdKeyfile'] as const)
    if (store !== 'etcd' && files[name] !== undefined)
      throw new SettingError(`--${storeSettings[name].flag} needs --store etcd`);
  checkEtcdFiles(files);
}

/** Throws SettingError for a certificate without its key, or the other way round. */
export function checkEtcdFiles({ etcdCertfile, etcdKeyfile }: EtcdFiles): void {
  if ((etcdCertfile === undefined) !== (etcdKeyfile === undefined))
    throw new SettingError('--etcd-certfile and --etcd-keyfile need each other');
}
