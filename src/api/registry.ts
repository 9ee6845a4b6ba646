// The served kinds: discovery's entry of each, joined with its schema and its behaviour.

import { resourcesText } from './generated/resources.ts';
import type { ApiObject, Column, Kind, KindBehaviour, ResourceInfo } from './kind.ts';
import { behaviours } from './kinds/kinds.ts';
import { age } from './objects/age.ts';
import { schemaOfKind } from './schemas.ts';
import { completeStrategy } from './strategy.ts';

/** The columns that every table may have. */
const commonCells: Readonly<Record<string, (object: ApiObject, now: number) => unknown>> = {
  Name: (object) => object.metadata.name,
  Age: (object, now) => age(object.metadata.creationTimestamp, now),
  'Created At': (object) => object.metadata.creationTimestamp ?? null,
};

export const resourceKey = (resource: string, group: string): string => (group ? `${resource}.${group}` : resource);

/** Joins the declaration of a kind with its behaviour. */
function makeKind(info: ResourceInfo & { columns: readonly Column[] }, behaviour: KindBehaviour = {}): Kind {
  const { cells: own = {}, ...rest } = behaviour;
  const functions = info.columns.map((column) => own[column.name] ?? commonCells[column.name] ?? (() => ''));
  return {
    ...info,
    get schema() {
      return schemaOfKind(info.group, info.version, info.kind) ?? {};
    },
    cells: (object, now) => functions.map((cell) => cell(object, now)),
    selectableFields: {},
    hasGeneration: false,
    storageVersion: info.version,
    storagePrefix: info.resource,
    virtual: !info.verbs.includes('get'),
    ...rest,
    strategy: completeStrategy(info, behaviour),
  };
}

let builtin: readonly Kind[] | undefined;

/** Every kind of Kubernetes 1.36 that is served by default. */
export function builtinKinds(): readonly Kind[] {
  builtin ??= (JSON.parse(resourcesText) as (ResourceInfo & { columns: Column[] })[]).map((info) =>
    makeKind(
      info,
      behaviours[`${resourceKey(info.resource, info.group)}/${info.version}`] ??
        behaviours[resourceKey(info.resource, info.group)],
    ),
  );
  return builtin;
}

/** The kinds that are served now; custom resources come and go. */
export class KindRegistry {
  readonly #byResource = new Map<string, Kind>();
  readonly #byKind = new Map<string, Kind>();
  readonly #listeners = new Set<() => void>();

  constructor(kinds: readonly Kind[] = builtinKinds()) {
    for (const kind of kinds) this.#put(kind);
  }

  byResource(group: string, version: string, resource: string): Kind | undefined {
    return this.#byResource.get(`${group}/${version}/${resource}`);
  }

  byKind(group: string, version: string, kind: string): Kind | undefined {
    return this.#byKind.get(`${group}/${version}/${kind}`);
  }

  all(): Kind[] {
    return [...this.#byResource.values()];
  }

  /** Adds kinds, or replaces those of the same group, version and resource. */
  add(...kinds: readonly Kind[]): void {
    for (const kind of kinds) this.#put(kind);
    this.#changed();
  }

  /** Removes every version of a resource, or the one named. */
  remove(group: string, resource: string, version?: string): void {
    for (const kind of this.all()) {
      if (kind.group !== group || kind.resource !== resource || (version && kind.version !== version)) continue;
      this.#byResource.delete(`${group}/${kind.version}/${resource}`);
      this.#byKind.delete(`${group}/${kind.version}/${kind.kind}`);
    }
    this.#changed();
  }

  /** Calls `listener` after each change, until the function that it returns is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #put(kind: Kind): void {
    this.#byResource.set(`${kind.group}/${kind.version}/${kind.resource}`, kind);
    this.#byKind.set(`${kind.group}/${kind.version}/${kind.kind}`, kind);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
