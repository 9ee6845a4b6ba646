// Starts the containers of one pod: volumes, sandbox, then one container after the other, with their back-off.

import { mkdir } from 'node:fs/promises';
import type { Pod } from '../../api/api.ts';
import { nextTurn } from '../../machinery/time/turn.ts';
import { syncFrequencyMs } from '../config.ts';
import { podDirectory, sandboxConfig } from '../containers/container-config.ts';
import type { KubeletTools } from '../tools.ts';
import type { MountedVolume } from '../volumes/volumes.ts';
import { Backoff } from './backoff.ts';
import { newest, type PodActions, type RuntimePod } from './pod-actions.ts';
import { nextAttempt, restartWait } from './restarts.ts';
import { pullSecretsOf, StartError, type StartInputs, startContainer } from './start-container.ts';

/** Restarts: 10 s, doubling, up to 5 min. */
const restartBackoff = [10_000, 300_000] as const;
const sandboxRetryMs = 1000;
/** Consecutive starts without waiting in between. */
const startsInRow = 32;

interface Waiting {
  readonly reason: string;
  readonly message?: string;
}

const nothingWaits: ReadonlyMap<string, Waiting> = new Map();
const nothingStarts: ReadonlySet<string> = new Set();

/** A pod may have a hundred thousand containers: fields are created on demand. */
export class ContainerStarts {
  readonly #tools: KubeletTools;
  readonly #backoff = new Backoff(...restartBackoff);
  #waiting: Map<string, Waiting> | undefined;
  #starting: Set<string> | undefined;
  #abort: AbortController | undefined;
  #aborted = false;

  constructor(tools: KubeletTools) {
    this.#tools = tools;
  }

  /** The reasons why containers wait, by name: the error of their last start. */
  get waiting(): ReadonlyMap<string, Waiting> {
    return this.#waiting ?? nothingWaits;
  }

  /** Containers that are starting. */
  get starting(): ReadonlySet<string> {
    return this.#starting ?? nothingStarts;
  }

  /** Starts no more containers; pulls and hooks are not awaited. */
  abort(): void {
    this.#aborted = true;
    this.#abort?.abort();
  }

  forgetWaits(): void {
    this.#waiting = undefined;
  }

  /** Runs the decided starts. Returns when to sync again, in milliseconds. */
  async run(
    pod: Pod,
    actions: PodActions,
    volumes: ReadonlyMap<string, MountedVolume>,
    look: () => Promise<RuntimePod>,
  ): Promise<number> {
    const tools = this.#tools;
    const config = sandboxConfig(pod, actions.attempt, tools);
    try {
      await ensureCgroup(pod, tools);
    } catch (error) {
      const message = `unable to ensure pod container exists: ${(error as Error).message}`;
      tools.events.event(pod, 'Warning', 'FailedCreatePodContainer', message);
      return sandboxRetryMs;
    }
    if (actions.createSandbox) {
      try {
        await tools.runtime.runPodSandbox(config);
      } catch (error) {
        const message = `Failed to create pod sandbox: ${(error as Error).message}`;
        tools.events.event(pod, 'Warning', 'FailedCreatePodSandBox', message);
        return sandboxRetryMs;
      }
    }
    const runtime = await look();
    const sandbox = runtime.sandboxes.find((s) => s.state === 'ready');
    if (!sandbox) return sandboxRetryMs;
    // A pod with its address in the API is useful before its images are there.
    const pullSecrets = await pullSecretsOf(pod, tools);
    this.#abort = new AbortController();
    if (this.#aborted) this.#abort.abort();
    const common = { pod, sandbox, sandboxConfig: config, volumes, pullSecrets, signal: this.#abort.signal };
    const waits: number[] = [];
    for (const [index, { container }] of actions.start.entries()) {
      if (index % startsInRow === startsInRow - 1) await nextTurn();
      if (this.#aborted) break;
      const waitMs = await this.#start({ ...common, container }, runtime);
      if (waitMs > 0) waits.push(waitMs);
    }
    this.#abort = undefined;
    await tools.cache.refresh(pod.metadata.uid);
    return waits.length > 0 ? Math.min(...waits) : syncFrequencyMs;
  }

  /** 0 when it runs, or is not to run any more. */
  async #start(inputs: Omit<StartInputs, 'attempt'>, runtime: RuntimePod): Promise<number> {
    const tools = this.#tools;
    const { pod, container } = inputs;
    const { name } = container;
    const last = newest(runtime.containers, name);
    const wait = restartWait(pod, name, last, this.#backoff, tools);
    if (wait) {
      this.#wait(name, wait.waiting);
      return wait.ms;
    }
    const attempt = await nextAttempt(pod, name, runtime, last, tools);
    (this.#starting ??= new Set()).add(name);
    try {
      await startContainer({ ...inputs, attempt }, tools);
      this.#waiting?.delete(name);
      return 0;
    } catch (error) {
      if (this.#aborted) return 0;
      if (!(error instanceof StartError)) throw error;
      this.#wait(name, { reason: error.reason, message: error.message });
      return tools.images.retryAfterMs(pod) || firstRetryMs(error.reason);
    } finally {
      this.#starting.delete(name);
      if (this.#starting.size === 0) this.#starting = undefined;
    }
  }

  #wait(name: string, why: Waiting): void {
    (this.#waiting ??= new Map()).set(name, why);
  }
}

/** After creating the pod's directory, by which the next kubelet finds the cgroup of a removed pod. */
async function ensureCgroup(pod: Pod, { cgroups, config }: KubeletTools): Promise<void> {
  if (!cgroups) return;
  await mkdir(podDirectory(config.rootDirectory, pod.metadata.uid), { recursive: true, mode: 0o750 });
  cgroups.ensure(pod);
}

const firstRetryMs = (reason: string) => (reason === 'CreateContainerConfigError' ? 5000 : 10_000);
