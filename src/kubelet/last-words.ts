// What a container said before it ended: its termination message.
// https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/

import { readFile } from 'node:fs/promises';
import type { Pod } from '../api/api.ts';
import type { ContainerStatus } from '../container-runtime/container-runtime.ts';
import { podDirectory, terminationLogPath } from './container-config.ts';
import { allContainers } from './pod-actions.ts';

const maxMessageBytes = 4096;
const maxFallbackBytes = 2048;
const maxFallbackLines = 80;

/** Reads each message once. */
export class LastWords {
  readonly #root: string;
  #known: Map<string, string> | undefined;

  /** `root` is the kubelet's root directory. */
  constructor(root: string) {
    this.#root = root;
  }

  /** The containers, those that ended with what they left at their terminationMessagePath, or logged last. */
  of(pod: Pod, containers: readonly ContainerStatus[]): Promise<ContainerStatus[]> {
    return Promise.all(
      containers.map(async (c) => (c.state === 'exited' ? { ...c, message: await this.#messageOf(pod, c) } : c)),
    );
  }

  async #messageOf(pod: Pod, status: ContainerStatus): Promise<string> {
    const known = this.#known?.get(status.id);
    if (known !== undefined) return known;
    const spec = allContainers(pod).find((c) => c.name === status.name);
    const file = terminationLogPath(podDirectory(this.#root, pod.metadata.uid), status.name, status.attempt);
    const written = await readFile(file, 'utf8').catch(() => '');
    const fallback = !written && spec?.terminationMessagePolicy === 'FallbackToLogsOnError' && status.exitCode !== 0;
    const message = (fallback ? await lastLines(status.logPath) : written.slice(0, maxMessageBytes)) || status.message;
    (this.#known ??= new Map()).set(status.id, message);
    return message;
  }
}

/** The end of a log, without the time and stream of each line. */
async function lastLines(logPath: string): Promise<string> {
  const log = await readFile(logPath, 'utf8').catch(() => '');
  const lines = log.split('\n').slice(-maxFallbackLines - 1);
  return lines
    .map((line) => line.split(' ').slice(3).join(' '))
    .join('\n')
    .slice(-maxFallbackBytes);
}
