// The usage of the last half hour, for charts: one point for each scrape, while clients read the metrics.

import type { NodeScrapes } from './scraped.ts';
import { podUsage, usageBetween } from './usage.ts';

interface UsagePoint {
  readonly atMs: number;
  readonly cpuCores: number;
  readonly memoryBytes: number;
}

export interface UsageSeries {
  /** '' for nodes. */
  readonly namespace: string;
  readonly name: string;
  readonly points: readonly UsagePoint[];
}

/** Points of each series: half an hour, at the period of the scrapes. */
const mostPoints = 120;
/** A point takes about 50 bytes: 25 MB. Series beyond these have no history. */
const mostSeries = 4_000;
/** A series without a point for this long has ended. */
const endedMs = 300_000;

export class UsageHistory {
  readonly #series = new Map<string, UsagePoint[]>();

  add(scrapes: ReadonlyMap<string, NodeScrapes>): void {
    for (const [node, { previous, last }] of scrapes) {
      const usage = last.node && usageBetween(previous?.node, last.node);
      if (usage) this.#push(`/${node}`, usage);
      for (const [pod, samples] of last.pods) {
        const usages = [...(podUsage(previous?.pods.get(pod), samples)?.values() ?? [])];
        if (usages.length === 0) continue;
        this.#push(pod, {
          atMs: usages[0].atMs,
          cpuCores: usages.reduce((sum, { cpuCores }) => sum + cpuCores, 0),
          memoryBytes: usages.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
        });
      }
    }
  }

  /** Removes series that have ended. */
  prune(nowMs: number): void {
    for (const [key, points] of this.#series)
      if ((points.at(-1)?.atMs ?? 0) < nowMs - endedMs) this.#series.delete(key);
  }

  /** Of all nodes, or of the pods of one namespace or, with '', of all. */
  read(resource: 'nodes' | 'pods', namespace = ''): UsageSeries[] {
    const found: UsageSeries[] = [];
    for (const [key, points] of this.#series) {
      const [place, name] = key.split('/');
      if ((place === '') !== (resource === 'nodes') || (namespace && place !== namespace)) continue;
      found.push({ namespace: place, name, points });
    }
    return found;
  }

  #push(key: string, { atMs, cpuCores, memoryBytes }: UsagePoint): void {
    let points = this.#series.get(key);
    if (!points) {
      if (this.#series.size >= mostSeries) return;
      this.#series.set(key, (points = []));
    }
    const last = points.at(-1);
    if (last && last.atMs >= atMs) return;
    points.push({ atMs, cpuCores, memoryBytes });
    if (points.length > mostPoints) points.shift();
  }
}
