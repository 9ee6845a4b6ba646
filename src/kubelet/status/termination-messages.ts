// The termination message of a container.
// https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/

import path from 'node:path';
import type { Pod } from '../../api/api.ts';
import type { ContainerStatus } from '../../container-runtime/container-runtime.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { KubeletConfig } from '../config.ts';
import { podDirectory, terminationLogPath } from '../files/pod-paths.ts';
import { readEndBeneath } from '../files/safe-path.ts';
import { readLog } from '../logs/logs.ts';
import { allContainers, containerNamed } from '../pods/pod-actions.ts';

const maxMessageBytes = 4096;
const maxFallbackBytes = 2048;
const maxFallbackLines = 80;
/** Of all containers of a pod together. */
const maxPodMessageBytes = 12 * 1024;

/** Reads each message once. */
export class TerminationMessages {
  readonly #config: Pick<KubeletConfig, 'rootDirectory' | 'podLogsDirectory'>;
  readonly #clock: Clock;
  #messages: Map<string, string> | undefined;

  constructor(config: Pick<KubeletConfig, 'rootDirectory' | 'podLogsDirectory'>, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  /** The containers, those that ended with the end of the file at their terminationMessagePath, or of their log. */
  async of(pod: Pod, containers: readonly ContainerStatus[]): Promise<readonly ContainerStatus[]> {
    if (!containers.some((c) => c.state === 'exited')) {
      this.#messages = undefined;
      return containers;
    }
    const limit = Math.floor(maxPodMessageBytes / allContainers(pod).length);
    const found: ContainerStatus[] = [];
    for (const each of containers)
      found.push(
        each.state === 'exited' ? { ...each, message: shortened(await this.#messageOf(pod, each), limit) } : each,
      );
    const ids = new Set(containers.map(({ id }) => id));
    for (const id of this.#messages?.keys() ?? []) if (!ids.has(id)) this.#messages?.delete(id);
    return found;
  }

  async #messageOf(pod: Pod, status: ContainerStatus): Promise<string> {
    const read = this.#messages?.get(status.id);
    if (read !== undefined) return read;
    const spec = containerNamed(pod, status.name);
    const directory = podDirectory(this.#config.rootDirectory, pod.metadata.uid);
    const file = path.relative(directory, terminationLogPath(directory, status.name, status.attempt));
    const written = (await readEndBeneath(directory, file, maxMessageBytes).catch(() => undefined)) ?? Buffer.alloc(0);
    const fallsBack =
      written.length === 0 && spec?.terminationMessagePolicy === 'FallbackToLogsOnError' && status.exitCode !== 0;
    const said = String(fallsBack ? await this.#endOfLog(status.logPath) : written);
    const message = [status.message, said].filter(Boolean).join(': ');
    (this.#messages ??= new Map()).set(status.id, message);
    return message;
  }

  /** The bytes that the container wrote last. */
  async #endOfLog(file: string): Promise<Buffer> {
    const log = { root: this.#config.podLogsDirectory, file };
    const options = { follow: false, timestamps: false, tailLines: maxFallbackLines };
    let end: Buffer = Buffer.alloc(0);
    for await (const text of readLog(log, options, this.#clock, () => false, new AbortController().signal))
      end = Buffer.concat([end, text]).subarray(-maxFallbackBytes);
    return end;
  }
}

const shortened = (message: string, bytes: number) =>
  Buffer.byteLength(message) > bytes ? String(Buffer.from(message).subarray(0, bytes)) : message;
