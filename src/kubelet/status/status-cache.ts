// Statuses of pods with thousands of containers: an entry is computed again only if one of its inputs changes, and a list
// in which nothing changed is the same list as before.

import type { ContainerStatus as ApiContainerStatus, Container } from '../../api/api.ts';
import type { ContainerStatus } from '../../container-runtime/container-runtime.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';

/** The inputs of an entry, as far as the cache compares them. */
interface EntryInputs {
  readonly container: Container;
  readonly current: ContainerStatus | undefined;
  readonly before: ContainerStatus | undefined;
  /** The entry as it was reported last. */
  readonly reported: ApiContainerStatus | undefined;
}

interface Entry {
  inputs: EntryInputs;
  readonly output: ApiContainerStatus;
}

export class StatusCache {
  readonly #entries = new Map<string, Entry>();
  readonly #lists = new Map<string, readonly ApiContainerStatus[]>();

  /** `inputs` are all values that the entry depends on, except those that never change for a pod. */
  entry<Inputs extends EntryInputs>(inputs: Inputs, compute: () => ApiContainerStatus): ApiContainerStatus {
    const { name } = inputs.container;
    const cached = this.#entries.get(name);
    if (cached && isSameInputs(cached, inputs)) {
      cached.inputs = inputs; // the next comparison is by identity
      return cached.output;
    }
    const output = compute();
    this.#entries.set(name, { inputs, output });
    return output;
  }

  /** The former list of that kind, if it has the same entries. */
  list(kind: string, entries: readonly ApiContainerStatus[]): readonly ApiContainerStatus[] {
    const former = this.#lists.get(kind);
    if (former?.length === entries.length && former.every((entry, i) => entry === entries[i])) return former;
    this.#lists.set(kind, entries);
    return entries;
  }
}

/** An entry that is computed from its own report is the same entry. */
function isSameInputs({ inputs: former, output }: Entry, inputs: EntryInputs): boolean {
  const { current, before, reported, ...others } = inputs;
  for (const name in others) {
    const key = name as keyof typeof others;
    if (others[key] !== former[key]) return false;
  }
  return (
    isSameRun(current, former.current) &&
    isSameRun(before, former.before) &&
    (reported === former.reported || reported === output || deepEqual(reported, output))
  );
}

const compared = [
  ...(['id', 'state', 'attempt', 'startedAt', 'finishedAt', 'exitCode'] as const),
  ...(['reason', 'message', 'image', 'imageRef'] as const),
];

const isSameRun = (a: ContainerStatus | undefined, b: ContainerStatus | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && compared.every((field) => a[field] === b[field]));
