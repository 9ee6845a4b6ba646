// Finds the scale subresource of an autoscaler's target, of any kind that has one.
// https://kubernetes.io/docs/concepts/workloads/autoscaling/

import type { CrossVersionObjectReference, Scale } from '../../api/api.ts';
import type { Client, ResourceRef } from '../../client/client.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { servedVersions } from './served-versions.ts';

export interface FoundScale {
  readonly resource: ResourceRef;
  readonly scale: Scale;
}

interface Resource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** The reference to a target is not valid. */
export class InvalidApiVersion extends Error {}

/** Definitions come and go: a kind is looked up again after this time. */
const freshMs = 30_000;

/** Resources by kind, from discovery. */
export class ServedKinds {
  readonly #clock: Clock;
  readonly #cached = new Map<string, { readonly atMs: number; readonly refs: readonly ResourceRef[] }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The resources of a kind, the preferred version first. Rejects when the server has none. */
  async of(client: Client, { apiVersion = 'v1', kind }: CrossVersionObjectReference): Promise<readonly ResourceRef[]> {
    const parts = apiVersion.split('/');
    if (parts.length > 2) throw new InvalidApiVersion(`unexpected GroupVersion string: ${apiVersion}`);
    const group = parts.length === 2 ? parts[0] : '';
    const key = `${group}/${kind}`;
    const cached = this.#cached.get(key);
    if (cached && this.#clock.monotonic() - cached.atMs < freshMs) return cached.refs;
    const versions = group ? await servedVersions(client, group) : ['v1'];
    const found = await Promise.all(versions.map((version) => resourcesOf(client, group, version, kind)));
    const refs = found.flat();
    if (refs.length === 0) throw new Error(`no matches for kind "${kind}" in group "${group}"`);
    this.#cached.set(key, { atMs: this.#clock.monotonic(), refs });
    return refs;
  }
}

async function resourcesOf(client: Client, group: string, version: string, kind: string): Promise<ResourceRef[]> {
  const path = group ? `/apis/${group}/${version}` : `/api/${version}`;
  const { resources = [] } = await client.raw<{ resources?: readonly Resource[] }>('GET', path);
  return resources
    .filter((one) => one.kind === kind && !one.name.includes('/'))
    .map(({ name, namespaced }) => ({ group, version, resource: name, namespaced }));
}

/** Reads the scale at the first resource that has it. Rejects with the error of the first one. */
export async function findScale(
  client: Client,
  kinds: ServedKinds,
  namespace: string,
  target: CrossVersionObjectReference,
): Promise<FoundScale> {
  let failure: unknown;
  for (const resource of await kinds.of(client, target))
    try {
      return { resource, scale: await readScale(client, resource, namespace, target.name) };
    } catch (error) {
      failure ??= error;
    }
  throw failure;
}

export const readScale = async (
  client: Client,
  resource: ResourceRef,
  namespace: string,
  name: string,
): Promise<Scale> => (await client.get(resource, { namespace, name }, { subresource: 'scale' })) as Scale;
