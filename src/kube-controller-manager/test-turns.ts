// Reconciles in real time, with caches and a client that are only memory.

import type { KubeObject } from '../api/api.ts';
import type { Controller, Tools } from '../client/client.ts';
import { silentLogger } from '../machinery/logger.ts';
import { systemClock } from '../machinery/time/clock.ts';

type Objects = Readonly<Record<string, readonly unknown[]>>;

/**
 * Reconciles the key once. Returns the bodies of all writes; those of deletions are names. `refuses` has the names of
 * patched and deleted objects, and the bodies of others.
 */
export async function reconcileOnce(
  controller: Controller,
  key: string,
  objects: Objects,
  refuses: (subject: any) => boolean = () => false,
): Promise<any[]> {
  const writes: unknown[] = [];
  const write = async (_: unknown, ...[body]: unknown[]) => {
    if (refuses(body)) throw new Error('refused');
    writes.push(body);
  };
  const lister = (resource: string) => {
    const all = (objects[resource] ?? []) as readonly KubeObject[];
    const inNamespace = (name: string) => all.filter(({ metadata }) => metadata.namespace === name);
    return {
      get: (wanted: string) =>
        all.find(({ metadata: { namespace, name } }) => (namespace ? `${namespace}/${name}` : name) === wanted),
      list: (namespace?: string) => (namespace === undefined ? all : inNamespace(namespace)),
      by: (index: string, value: string) => {
        const { valuesOf } = controller.indexes!.find(({ resource: of, name }) => of === resource && name === index)!;
        return all.filter((object) => valuesOf(object).includes(value));
      },
    };
  };
  const client = {
    get: async () => ({}),
    create: write,
    update: write,
    delete: write,
    patch: async (_: unknown, name: unknown, { body }: any) => {
      if (refuses(name)) throw new Error('refused');
      writes.push(body);
      return { metadata: name };
    },
  };
  const tools = { lister, client, clock: systemClock, logger: silentLogger, events: { event() {} } };
  await controller.reconcile(key, tools as unknown as Tools);
  return writes;
}
