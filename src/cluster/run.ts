// Runs a cluster in this process until it is stopped: for `up` in the background, and `up --foreground`. When its store
// has moved into etcd, it starts once more, as a server.

import { Metrics } from '../machinery/metrics.ts';
import { type ClusterConfig, serverConfig } from './config.ts';
import type { Environment } from './context.ts';
import { type CopiedStore, copyToMember } from './joining/migrate-running.ts';
import { Lab } from './lab/lab.ts';
import { Sandbox } from './lab/sandbox.ts';
import { type RunHooks, type RunningCluster, runOnce } from './run-once.ts';

export type { ClusterStatus } from './run-once.ts';

/** Programs and their first arguments. */
export interface Programs {
  /** The process of the nodes. */
  readonly nodes: readonly string[];
  /** The command line. */
  readonly cli: readonly string[];
}

/** Resolves when the cluster is usable: every node is Ready, or, without nodes, the API server. */
export async function runCluster(
  config: ClusterConfig,
  given: Environment,
  { nodes: nodeCommand, cli }: Programs,
  hooks: RunHooks,
): Promise<Pick<RunningCluster, 'stop'>> {
  const lab = config.runtime === 'simulated' ? new Lab(given.clock) : undefined;
  const sandbox = lab ? undefined : new Sandbox(cli, config);
  const environment = { ...given, ...(lab ? { clock: lab.clock, lab } : { sandbox }) };
  const { clock, logger } = environment;
  let isMoving = false;
  let restarting: Promise<void> = Promise.resolve();
  const handlers = {
    /** The answer comes when the content is in etcd; then the process starts again as a server. */
    async 'migrate-store'() {
      if (isMoving || running.cluster.etcd) throw new Error('the store of this cluster is in etcd, or moves there now');
      isMoving = true;
      const next = serverConfig(config);
      const copied = await copyToMember(running.cluster, environment).catch((error) => {
        isMoving = false;
        throw error;
      });
      clock.after(0, () => (restarting = restart(next, copied).catch(hooks.onFatal)), { background: true });
      return { revision: copied.revision };
    },
  };
  async function restart(next: ClusterConfig, copied: CopiedStore): Promise<void> {
    logger.info('the cluster starts again as a server');
    await running.stop();
    await copied.stop();
    running = await runOnce(next, { ...environment, metrics: new Metrics() }, nodeCommand, hooks, handlers);
  }
  let running = await runOnce(config, environment, nodeCommand, hooks, handlers);
  return {
    async stop() {
      await restarting;
      const closing = sandbox?.stop().catch((error) => logger.warn('sandbox not removed', { error: error.message }));
      await running.stop();
      await closing;
    },
  };
}
