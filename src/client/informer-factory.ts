// One informer per resource, shared by all users.

import type { KubeObject } from '../api/api.ts';
import type { ComponentContext } from './component.ts';
import { createInformer, type Informer } from './informer.ts';
import type { ObjectOf, ResourceName, ResourceRef } from './interface.ts';
import { refOf } from './rest.ts';

export class InformerFactory {
  readonly #context: Pick<ComponentContext, 'client' | 'clock' | 'random' | 'logger'>;
  readonly #informers = new Map<string, Informer<KubeObject>>();

  constructor(context: Pick<ComponentContext, 'client' | 'clock' | 'random' | 'logger'>) {
    this.#context = context;
  }

  /** The resource's informer, started on first use. */
  for<R extends ResourceName | ResourceRef>(resource: R): Informer<ObjectOf<R>> {
    const key = keyOfResource(resource);
    const running = this.find(resource);
    if (running) return running;
    const informer = createInformer(this.#context, resource);
    this.#informers.set(key, informer);
    return informer;
  }

  /** The resource's informer if it runs already. */
  find<R extends ResourceName | ResourceRef>(resource: R): Informer<ObjectOf<R>> | undefined {
    // The key stands for the resource, so its informer has objects of that type.
    return this.#informers.get(keyOfResource(resource)) as Informer<ObjectOf<R>> | undefined;
  }

  /** Stops one resource's informer after its kind was removed, such as a deleted CustomResourceDefinition's. */
  async drop(resource: ResourceName | ResourceRef): Promise<void> {
    const key = keyOfResource(resource);
    const informer = this.#informers.get(key);
    this.#informers.delete(key);
    await informer?.stop();
  }

  /** Resolves when every informer used so far has its first list. */
  async synced(): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.synced()));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.stop()));
  }
}

function keyOfResource(resource: ResourceName | ResourceRef): string {
  const { group, version, resource: plural } = refOf(resource);
  return `${group}/${version}/${plural}`;
}
