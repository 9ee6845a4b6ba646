// The main process of a cluster in the background. `up` starts it, sends the configuration and waits for `ready`.

import { once } from 'node:events';
import type { ClusterConfig } from '../cluster/config.ts';
import { runInProcess } from './run-in-process.ts';

export async function runCluster(): Promise<void> {
  const [config] = (await once(process, 'message')) as [ClusterConfig];
  await runInProcess(config, (message) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  });
}
