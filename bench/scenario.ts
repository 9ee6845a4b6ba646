// The interface of scenarios: one file each under scenarios/.

import type { Target } from './target.ts';

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Whether more is better (a rate) or less (a time, a size). */
  readonly better: 'more' | 'less';
}

export interface Scenario {
  readonly name: string;
  /** One sentence about the scenario. */
  readonly about: string;
  /** Once for a target, before the measured runs. */
  prepare?(target: Target, scale: number): Promise<void>;
  /** One measured run. `scale` shrinks counts: 1 is the full size. */
  run(target: Target, scale: number): Promise<readonly Figure[]>;
  /** Its objects cannot be removed: one run, regardless of --runs. */
  readonly runsOnce?: boolean;
  /** Removes its objects. */
  cleanUp?(target: Target): Promise<void>;
}

/** Times `work` of `count` operations: rate, the server's CPU time an operation, and the client's share of CPU. */
export async function measure(
  target: Target,
  name: string,
  count: number,
  work: () => Promise<void>,
): Promise<Figure[]> {
  const serverBefore = target.serverCpuMicros();
  const clientBefore = process.cpuUsage();
  const beginMs = performance.now();
  await work();
  const seconds = (performance.now() - beginMs) / 1000;
  const client = process.cpuUsage(clientBefore);
  const clientMicros = client.user + client.system;
  const server = serverBefore === undefined ? undefined : target.serverCpuMicros()! - serverBefore;
  return [
    { name, value: count / seconds, unit: '/s', better: 'more' },
    ...(server === undefined
      ? []
      : [
          { name: `${name}: server CPU`, value: server / count, unit: 'us', better: 'less' as const },
          {
            name: `${name}: client share of CPU`,
            value: (100 * clientMicros) / (clientMicros + server),
            unit: '%',
            better: 'less' as const,
          },
        ]),
  ];
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
