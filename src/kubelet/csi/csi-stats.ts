// How full the volumes of CSI drivers are: drivers are called at intervals, and their answers are kept for readers.
// https://kubernetes.io/docs/reference/instrumentation/node-metrics/

import { formatTime, type Pod } from '../../api/api.ts';
import type { StatsAnswer } from './csi-proto.ts';
import type { CsiTools } from './csi-tools.ts';
import type { Mount } from './records.ts';

/** The kubelet's volumeStatsAggPeriod. */
const periodMs = 60_000;

interface VolumeStats {
  readonly timeMs: number;
  readonly capacityBytes: number;
  readonly availableBytes: number;
  readonly usedBytes: number;
  readonly inodes: number;
  readonly inodesFree: number;
  readonly inodesUsed: number;
}

const families = [
  ['capacity_bytes', 'Capacity in bytes of the volume', 'capacityBytes'],
  ['available_bytes', 'Number of available bytes in the volume', 'availableBytes'],
  ['used_bytes', 'Number of used bytes in the volume', 'usedBytes'],
  ['inodes', 'Maximum number of inodes in the volume', 'inodes'],
  ['inodes_free', 'Number of free inodes in the volume', 'inodesFree'],
  ['inodes_used', 'Number of used inodes in the volume', 'inodesUsed'],
] as const;

export class CsiStats {
  readonly #tools: CsiTools;
  readonly #stats = new WeakMap<Mount, VolumeStats>();
  readonly #asked = new WeakSet<Mount>();

  constructor(tools: CsiTools) {
    this.#tools = tools;
  }

  /** Runs until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const mount of this.#tools.records.mounts()) void this.refresh(mount);
      await this.#tools.clock.sleep(periodMs, signal).catch(() => {});
    }
  }

  /** Asks the driver; each volume separately, so that one that hangs delays no other. */
  async refresh(mount: Mount): Promise<void> {
    const { paths, drivers, clock, logger } = this.#tools;
    const { uid, specName, driver, handle, isBlock, state } = mount;
    if (state !== 'mounted' || this.#asked.has(mount) || !drivers.has(driver)) return;
    this.#asked.add(mount);
    try {
      const operation = drivers.operation(driver);
      if (!(await operation.has('GET_VOLUME_STATS'))) return;
      const target = isBlock ? paths.blockTarget(uid, specName) : paths.target(uid, specName);
      this.#stats.set(mount, statsOf(await operation.stats(handle, target), clock.now()));
    } catch (error) {
      logger.debug('volume not measured', { volume: specName, error: String(error) });
    } finally {
      this.#asked.delete(mount);
    }
  }

  #measured(): [Mount, VolumeStats][] {
    return this.#tools.records.mounts().flatMap((mount): [Mount, VolumeStats][] => {
      const stats = this.#stats.get(mount);
      return stats && mount.state === 'mounted' ? [[mount, stats]] : [];
    });
  }

  /** The pod's volumes in the Summary object (stats/v1alpha1). */
  summary({ metadata }: Pod): object[] {
    return this.#measured()
      .filter(([mount]) => mount.uid === metadata.uid && mount.use)
      .map(([{ use }, { timeMs, ...amounts }]) => ({
        time: formatTime(timeMs),
        ...amounts,
        name: use?.volume,
        ...(use?.claim && { pvcRef: { name: use.claim, namespace: metadata.namespace } }),
      }));
  }

  /** In the text format of Prometheus: one volume once, also if several pods have it. */
  metricsText(): string {
    const byClaim = new Map(
      this.#measured().flatMap(([{ use }, stats]) =>
        use?.claim ? [[`namespace="${use.namespace}",persistentvolumeclaim="${use.claim}"`, stats] as const] : [],
      ),
    );
    if (byClaim.size === 0) return '';
    return families
      .map(([name, help, field]) => {
        const full = `kubelet_volume_stats_${name}`;
        const lines = [...byClaim].map(([labels, stats]) => `${full}{${labels}} ${stats[field]}\n`);
        return `# HELP ${full} [ALPHA] ${help}\n# TYPE ${full} gauge\n${lines.join('')}`;
      })
      .join('');
  }
}

/** Negative numbers are none. */
const amount = (value: number | undefined): number => Math.max(0, value ?? 0);

function statsOf({ usage }: StatsAnswer, timeMs: number): VolumeStats {
  const bytes = usage.find(({ unit }) => unit === 'BYTES');
  const inodes = usage.find(({ unit }) => unit === 'INODES');
  return {
    timeMs,
    capacityBytes: amount(bytes?.total),
    availableBytes: amount(bytes?.available),
    usedBytes: amount(bytes?.used),
    inodes: amount(inodes?.total),
    inodesFree: amount(inodes?.available),
    inodesUsed: amount(inodes?.used),
  };
}
