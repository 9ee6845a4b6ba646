// The sources of a node's pods: the API, and manifests of static pods.

import type { Pod } from '../../api/api.ts';
import { type ComponentContext, createInformer, type Informer } from '../../client/client.ts';
import type { PodWorkers } from '../pods/pod-workers.ts';
import type { KubeletTools } from '../tools.ts';
import type { MirrorPods } from './mirror-pods.ts';
import { fromApi, isMirror } from './pod-source.ts';

interface Parts {
  readonly context: ComponentContext;
  readonly tools: KubeletTools;
  readonly workers: PodWorkers;
  readonly mirrors: MirrorPods;
}

export class NodePods {
  readonly #parts: Parts;
  #areManifestsRead = false;
  #informer: Informer<Pod> | undefined;
  #unfollow = () => {};

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** All sources were read: a pod that is in none of them is none of this node. */
  get areRead(): boolean {
    return this.#areManifestsRead && this.#informer?.hasSynced === true;
  }

  /** Resolves when static pods are started, or the place of their manifests cannot be read yet. */
  async followManifests(signal: AbortSignal): Promise<readonly Promise<void>[]> {
    const { tools, workers, mirrors } = this.#parts;
    const { staticPodPath, staticPodURL } = tools.config;
    const read = () => {
      this.#areManifestsRead = true;
      mirrors.complete();
    };
    if (!staticPodPath && !staticPodURL) {
      read();
      return [];
    }
    // On demand: it brings the rules of the API with it.
    const { followStaticPods } = await import('./static-pods.ts');
    return followStaticPods({ tools, workers, mirrors, read }, signal);
  }

  /** Resolves when the API's pods are started, which is after `ready`. */
  async followApi(ready: Promise<void>): Promise<void> {
    const { context, tools, workers, mirrors } = this.#parts;
    const selection = { fieldSelector: `spec.nodeName=${tools.config.nodeName}` };
    const informer = createInformer(context, 'pods', selection, fromApi);
    this.#informer = informer;
    await Promise.all([ready, informer.synced()]);
    this.#unfollow = informer.handle((next, old) => {
      const pod = next ?? old;
      if (pod && isMirror(pod)) mirrors.follow(next, old);
      else workers.follow(tools, next, old);
    });
    if (this.areRead) workers.stopOrphans(tools);
    mirrors.start();
  }

  async stop(): Promise<void> {
    this.#unfollow();
    await Promise.all([this.#informer?.stop(), this.#parts.mirrors.stop()]);
  }
}
