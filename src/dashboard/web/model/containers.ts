// The containers of a pod that a terminal can reach.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';

export interface PodContainer {
  readonly name: string;
  readonly kind: 'container' | 'init' | 'debug';
  readonly isRunning: boolean;
  /** Why it does not run, in the words of the kubelet. */
  readonly reason: string;
  /** It reads input, and has a terminal. */
  readonly stdin: boolean;
  readonly tty: boolean;
}

const groups = [
  ['containers', 'containerStatuses', 'container'],
  ['initContainers', 'initContainerStatuses', 'init'],
  ['ephemeralContainers', 'ephemeralContainerStatuses', 'debug'],
] as const;

/** Init containers are there while they run. */
export function containersOf({ spec, status }: { readonly spec?: unknown; readonly status?: unknown }): PodContainer[] {
  const [declared, reported] = [fieldsIn(spec), fieldsIn(status)];
  return groups
    .flatMap(([field, statuses, kind]) =>
      listIn(declared[field]).map((item): PodContainer => {
        const { name, stdin, tty } = fieldsIn(item);
        const found = listIn(reported[statuses]).find((one) => fieldsIn(one)['name'] === name);
        const { running, waiting, terminated } = fieldsIn(fieldsIn(found)['state']);
        const { reason, message } = fieldsIn(waiting ?? terminated);
        return {
          ...{ name: textIn(name), kind, isRunning: running !== undefined && running !== null },
          reason: [textIn(reason), textIn(message)].filter(Boolean).join(': '),
          ...{ stdin: stdin === true, tty: tty === true },
        };
      }),
    )
    .filter(({ name, kind, isRunning }) => name !== '' && (kind !== 'init' || isRunning));
}

/** A name for a debug container that the pod does not have. */
export function debugName(taken: readonly string[]): string {
  for (let number = 1; ; number++) if (!taken.includes(`debugger-${number}`)) return `debugger-${number}`;
}
