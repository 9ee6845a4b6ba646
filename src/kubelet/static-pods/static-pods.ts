// The node's other sources of pods: manifests on its disk and of a web server. Gives them to the pod workers, which need
// no API for them.
// Pods of one name run one after the other.

import type { Pod } from '../../api/api.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { fileCheckFrequencyMs, httpCheckFrequencyMs } from '../config.ts';
import { graceOf } from '../pods/grace.ts';
import type { PodWorkers } from '../pods/pod-workers.ts';
import type { KubeletTools } from '../tools.ts';
import { ManifestUrl } from './manifest-url.ts';
import { Manifests } from './manifests.ts';
import type { MirrorPods } from './mirror-pods.ts';
import { fullName, seenAnnotation } from './pod-source.ts';
import { watchManifests } from './watch-manifests.ts';

interface Started {
  /** As its manifest has it. */
  readonly wanted: Pod;
  /** As its worker has it. */
  readonly pod: Pod;
  readonly isStopping: boolean;
}

type Source = 'file' | 'http';
const sources: readonly Source[] = ['file', 'http'];

class StaticPods {
  readonly #tools: KubeletTools;
  readonly #workers: PodWorkers;
  readonly #mirrors: MirrorPods;
  readonly #bySource = new Map<Source, readonly Pod[]>();
  /** The pods of the manifests, by name. */
  #wanted: ReadonlyMap<string, Pod> = new Map();
  /** Those whose workers run, one per name. */
  readonly #started = new Map<string, Started>();

  constructor(tools: KubeletTools, workers: PodWorkers, mirrors: MirrorPods) {
    this.#tools = tools;
    this.#workers = workers;
    this.#mirrors = mirrors;
    workers.onFinished((uid) => this.#finished(uid));
  }

  /** All static pods of a source, from now on. */
  set(source: Source, pods: readonly Pod[]): void {
    this.#bySource.set(source, pods);
    this.#wanted = this.#distinct();
    for (const [name, started] of this.#started)
      if (this.#wanted.get(name)?.metadata.uid !== started.pod.metadata.uid) this.#stop(name, started);
    for (const name of this.#wanted.keys()) this.#start(name);
  }

  /** A pod of the web server gives way to a file's with its name or uid. */
  #distinct(): ReadonlyMap<string, Pod> {
    const wanted = new Map<string, Pod>();
    const uids = new Set<string>();
    for (const pod of sources.flatMap((source) => this.#bySource.get(source) ?? [])) {
      const name = fullName(pod);
      if (wanted.has(name) || uids.has(pod.metadata.uid))
        this.#tools.logger.error('static pod not started', { pod: name, error: 'duplicate pod name or uid' });
      else wanted.set(name, pod);
      uids.add(pod.metadata.uid);
    }
    return wanted;
  }

  /** With the grace that the pod asks for. */
  #stop(name: string, { wanted, pod, isStopping }: Started): void {
    if (isStopping) return;
    const deletionTimestamp = new Date(this.#tools.clock.now()).toISOString();
    const metadata = { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds: Math.max(1, graceOf(pod)) };
    const stopping = { ...pod, metadata };
    this.#started.set(name, { wanted, pod: stopping, isStopping: true });
    this.#mirrors.hold(stopping, true);
    this.#workers.follow(this.#tools, stopping, pod);
  }

  /** Unless another pod of its name, or the former run of the same pod, still stops. */
  #start(name: string): void {
    const wanted = this.#wanted.get(name);
    const started = this.#started.get(name);
    if (!wanted || started?.isStopping || (started && deepEqual(started.wanted, wanted))) return;
    if (!started && this.#workers.has(wanted.metadata.uid)) return;
    const seen = started?.pod.metadata.annotations?.[seenAnnotation] ?? new Date(this.#tools.clock.now()).toISOString();
    const annotations = { ...wanted.metadata.annotations, [seenAnnotation]: seen };
    const pod = { ...wanted, metadata: { ...wanted.metadata, annotations } };
    this.#started.set(name, { wanted, pod, isStopping: false });
    this.#mirrors.hold(pod, false);
    this.#workers.follow(this.#tools, pod, started?.pod);
  }

  #finished(uid: string): void {
    const ended = [...this.#started.values()].find(({ pod }) => pod.metadata.uid === uid)?.pod;
    if (ended) {
      this.#started.delete(fullName(ended));
      this.#mirrors.release(ended);
      this.#start(fullName(ended));
    }
    for (const [name, { metadata }] of this.#wanted) if (metadata.uid === uid) this.#start(name);
  }
}

interface Parts {
  readonly tools: KubeletTools;
  readonly workers: PodWorkers;
  readonly mirrors: MirrorPods;
  /** All manifests were read. */
  readonly read: () => void;
}

/**
 * Resolves after the first try to read the manifests of the disk; a web server may be away. The promises that it returns
 * resolve some time after `signal` aborts.
 */
export async function followStaticPods(parts: Parts, signal: AbortSignal): Promise<readonly Promise<void>[]> {
  const { config } = parts.tools;
  const pods = new StaticPods(parts.tools, parts.workers, parts.mirrors);
  const unread = new Set(sources.filter((source) => (source === 'file' ? config.staticPodPath : config.staticPodURL)));
  const set = (source: Source, found: readonly Pod[]) => {
    pods.set(source, found);
    unread.delete(source);
    if (unread.size === 0) parts.read();
  };
  return [
    ...(config.staticPodURL ? [followUrl(parts.tools, config.staticPodURL, set, signal)] : []),
    ...(config.staticPodPath ? [await followManifests(parts.tools, config.staticPodPath, set, signal)] : []),
  ].map((followed) => (followed instanceof Promise ? followed : followed.ended));
}

type SetPods = (source: Source, found: readonly Pod[]) => void;

async function followUrl({ config, clock, logger }: KubeletTools, url: string, set: SetPods, signal: AbortSignal) {
  const { staticPodURLHeader: headers = {}, nodeName } = config;
  const manifests = new ManifestUrl({ url, headers, nodeName }, clock, logger);
  logger.info('static pods are read', { url: manifests.place });
  while (!signal.aborted) {
    const found = await manifests.read(signal);
    if (found && !signal.aborted) set('http', found);
    await clock.sleep(config.httpCheckFrequencyMs ?? httpCheckFrequencyMs, signal).catch(() => {});
  }
}

async function followManifests(
  { config, clock, logger }: KubeletTools,
  place: string,
  set: SetPods,
  signal: AbortSignal,
): Promise<{ readonly ended: Promise<void> }> {
  const manifests = new Manifests(place, config.nodeName, logger);
  logger.info('static pods are read', { path: place });
  const { promise: first, resolve: done } = Promise.withResolvers<void>();
  const periodMs = config.fileCheckFrequencyMs ?? fileCheckFrequencyMs;
  const ended = watchManifests({ place, periodMs, clock, logger }, signal, async (isPeriodic) => {
    const found = await manifests.read(isPeriodic).catch((error) => {
      logger.error('static pods not read', { path: place, error: String(error) });
      return undefined;
    });
    if (found && !signal.aborted) set('file', found);
    done();
  }).catch((error) => logger.error('static pods are not read any more', { path: place, error: String(error) }));
  await first;
  return { ended };
}
