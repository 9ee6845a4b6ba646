// The users of a namespace decide how many pods its policies select, and how many rules they have. A node shares its time
// and memory among namespaces.

interface Effort {
  /** Pods and namespaces that are compared with a selector. */
  readonly comparisons: number;
  /** Addresses and rules in the kernel. */
  readonly entries: number;
}

const most: Effort = { comparisons: 20_000_000, entries: 100_000 };

export class NamespaceEffort {
  readonly #spent = new Map<string, Effort>();
  readonly exceeded = new Set<string>();

  /** False: the namespace has had its share. */
  spend(namespace: string, { comparisons = 0, entries = 0 }: Partial<Effort>): boolean {
    const before = this.#spent.get(namespace) ?? { comparisons: 0, entries: 0 };
    const spent = { comparisons: before.comparisons + comparisons, entries: before.entries + entries };
    const isWithin = spent.comparisons <= most.comparisons && spent.entries <= most.entries;
    if (isWithin) this.#spent.set(namespace, spent);
    else this.exceeded.add(namespace);
    return isWithin;
  }
}
