// Resources that a component of this process computes for each read, such as metrics.k8s.io. Nothing is stored. An
// APIService for the same group and version takes their place, for as long as it exists.

import {
  type ComputedResource,
  customKinds,
  type Kind,
  type KindRegistry,
  type KubeObject,
  type ObjectReader,
} from '../../api/api.ts';

/** An answer of an extension API server exists for this version of a group. */
type IsElsewhere = (group: string, version: string) => boolean;

export class ComputedResources {
  readonly #kinds: KindRegistry;
  readonly #isElsewhere: IsElsewhere;
  readonly #resources = new Map<Kind, ComputedResource>();
  readonly #builtIn = new Map<Kind, ObjectReader>();

  constructor(kinds: KindRegistry, isElsewhere: IsElsewhere) {
    this.#kinds = kinds;
    this.#isElsewhere = isElsewhere;
    // A definition of custom resources may have had the same name.
    kinds.onChange(() => this.sync());
  }

  /** The resource behind a kind of the registry. */
  of(kind: Kind): ObjectReader | undefined {
    return this.#builtIn.get(kind) ?? this.#resources.get(kind);
  }

  /** Answers for a built-in kind that nothing stores. */
  answer(kind: Kind, reader: ObjectReader): void {
    this.#builtIn.set(kind, reader);
  }

  /** Serves the resources, until the returned function is called. */
  add(resources: readonly ComputedResource[]): () => void {
    const added = resources.map((resource) => [kindOf(resource), resource] as const);
    for (const [kind, resource] of added) this.#resources.set(kind, resource);
    this.sync();
    return () => {
      for (const [kind] of added) {
        this.#resources.delete(kind);
        this.#withdraw(kind);
      }
    };
  }

  /** Call it when the APIs of other servers have changed. */
  sync(): void {
    for (const kind of this.#resources.keys()) {
      const { group, version, resource } = kind;
      if (this.#isElsewhere(group, version)) this.#withdraw(kind);
      else if (!this.#kinds.byResource(group, version, resource)) this.#kinds.add(kind);
    }
  }

  #withdraw(kind: Kind): void {
    const { group, version, resource } = kind;
    if (this.#kinds.byResource(group, version, resource) === kind) this.#kinds.remove(group, resource, version);
  }
}

function kindOf({ group, version, resource, kind, namespaced, schema, columns }: ComputedResource): Kind {
  const names = { plural: resource, singular: '', kind, listKind: `${kind}List` };
  const [made] = customKinds({
    metadata: { name: `${resource}.${group}` },
    spec: {
      group,
      names,
      scope: namespaced ? 'Namespaced' : 'Cluster',
      versions: [{ name: version, served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  } as Parameters<typeof customKinds>[0]);
  const [name] = made.columns;
  return {
    ...made,
    verbs: ['get', 'list'],
    virtual: true,
    hasGeneration: false,
    columns: [name, ...columns.map((column) => ({ ...column, format: '', priority: 0 }))],
    cells: (object: KubeObject) => [object.metadata.name, ...columns.map(({ cell }) => cell(object))],
  };
}
