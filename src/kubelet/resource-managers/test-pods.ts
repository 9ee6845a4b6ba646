// For tests: pods with CPUs and memory.

import type { Container, Pod } from '../../api/api.ts';

interface Amounts {
  readonly cpu?: string;
  readonly memory?: string;
  readonly [resource: string]: string | undefined;
}

/** Requests and limits are equal. */
export const container = (name: string, amounts: Amounts, more: object = {}): Container =>
  ({ name, resources: { requests: amounts, limits: amounts }, ...more }) as Container;

export const sidecar = { restartPolicy: 'Always' };

/** Guaranteed, unless `more` says otherwise. */
export function podOf(uid: string, containers: readonly Container[], init: readonly Container[] = [], more = {}): Pod {
  return {
    metadata: { name: uid, namespace: 'default', uid },
    spec: { containers, initContainers: init },
    status: { qosClass: 'Guaranteed' },
    ...more,
  } as unknown as Pod;
}
