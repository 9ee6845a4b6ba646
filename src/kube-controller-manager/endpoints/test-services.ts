// For tests: one reconciliation of a Service's endpoints, and the objects that it writes.

import type { EndpointSlice, Endpoints, KubeObject, Node, Pod, Service } from '../../api/api.ts';
import type { Controller, Tools } from '../../client/client.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';

export interface Written {
  readonly created: any[];
  readonly updated: any[];
  readonly deleted: string[];
  readonly events: string[];
}

interface Objects {
  readonly services?: readonly Service[];
  readonly pods?: readonly Pod[];
  readonly nodes?: readonly Node[];
  readonly endpoints?: readonly Endpoints[];
  readonly endpointslices?: readonly EndpointSlice[];
}

const keyOf = ({ metadata }: KubeObject) =>
  metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name;

export async function reconcileOnce(controller: Controller, objects: Objects): Promise<Written> {
  const written: Written = { created: [], updated: [], deleted: [], events: [] };
  const lister = (resource: keyof Objects) => {
    const all: readonly KubeObject[] = objects[resource] ?? [];
    const valuesOf = controller.indexes?.find((index) => index.resource === resource)?.valuesOf;
    return {
      get: (key: string) => all.find((object) => keyOf(object) === key),
      list: (namespace?: string) => all.filter(({ metadata }) => !namespace || metadata.namespace === namespace),
      by: (_name: string, value: string) =>
        all.filter((object) => [...(valuesOf?.(object as any) ?? [])].includes(value)),
    };
  };
  const client = {
    create: async (_: string, object: object) => void written.created.push(object),
    update: async (_: string, object: object) => void written.updated.push(object),
    delete: async (_: string, { name }: { name: string }) => void written.deleted.push(name),
  };
  const events = { event: (_o: object, _t: string, reason: string) => void written.events.push(reason) };
  const tools = { lister, client, events, clock: new VirtualClock() } as unknown as Tools;
  await controller.reconcile('ns/web', tools);
  return written;
}

export const service = (spec: object = {}, metadata: object = {}): Service =>
  ({
    metadata: { name: 'web', namespace: 'ns', uid: 'service', ...metadata },
    spec: { selector: { app: 'web' }, clusterIP: '10.96.0.10', ports: [{ name: 'http', port: 80 }], ...spec },
  }) as unknown as Service;

export interface PodCase {
  readonly ip?: string;
  readonly ips?: readonly string[];
  readonly ready?: boolean;
  readonly phase?: string;
  readonly deleted?: boolean;
  readonly node?: string;
  readonly labels?: object;
  readonly spec?: object;
}

/** A ready pod with the address 10.0.0.`n`. */
export function pod(n: number, given: PodCase = {}): Pod {
  const { ips = [given.ip ?? `10.0.${n >> 8}.${n & 255}`], ready = true, phase = 'Running', deleted, node } = given;
  return {
    metadata: {
      ...{ name: `pod-${n}`, namespace: 'ns', uid: `uid-${n}`, labels: given.labels ?? { app: 'web' } },
      ...(deleted && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    spec: { containers: [], ...(node && { nodeName: node }), ...given.spec },
    status: {
      phase,
      podIPs: ips.map((ip) => ({ ip })),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  } as unknown as Pod;
}

/** A pod's container with a named port. */
export const named = (containerPort: number, protocol?: string, more: object = {}) => ({
  containers: [{ name: 'c', ports: [{ name: 'web', containerPort, ...(protocol && { protocol }) }], ...more }],
});
