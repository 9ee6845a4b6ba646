// `kubectl get componentstatuses`: the store, the controller manager and the scheduler. Those of this process report
// their own health; others are healthy while one of them renews its Lease as leader.

import { type ComponentStatus, isNotFound, type KubeObject, notFound, type ObjectMeta } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { Store } from '../../store/store.ts';

/** Kubernetes' names of the components, with their Leases. */
const leases: ReadonlyMap<string, string> = new Map([
  ['controller-manager', 'kube-controller-manager'],
  ['scheduler', 'kube-scheduler'],
]);
const storeName = 'etcd-0';
const namespace = 'kube-system';

/** Why a component is not healthy, undefined while it is. */
export type Health = () => string | undefined | Promise<string | undefined>;

interface Inputs {
  readonly client: Client;
  readonly store: Pick<Store, 'health'>;
  readonly clock: Pick<Clock, 'now'>;
}

export class ComponentStatuses {
  readonly #inputs: Inputs;
  readonly #reported = new Map<string, Health>();

  constructor(inputs: Inputs) {
    this.#inputs = inputs;
  }

  /** Uses the health of a component of this process, under the name of its Lease, until the returned function is called. */
  report(component: string, health: Health): () => void {
    this.#reported.set(component, health);
    return () => {
      if (this.#reported.get(component) === health) this.#reported.delete(component);
    };
  }

  /** The named one, or all without a name. */
  async read(name: string): Promise<readonly KubeObject[]> {
    const names = [...leases.keys(), storeName];
    if (name && !names.includes(name)) throw notFound({ group: '', resource: 'componentstatus' }, name);
    return Promise.all((name ? [name] : names).map(async (each) => statusOf(each, await this.#problem(each))));
  }

  async #problem(name: string): Promise<string | undefined> {
    const lease = leases.get(name);
    if (lease === undefined) return (await this.#inputs.store.health())?.message;
    const health = this.#reported.get(lease);
    return health ? health() : this.#withoutLeader(lease);
  }

  async #withoutLeader(name: string): Promise<string | undefined> {
    const { client, clock } = this.#inputs;
    const lease = await client.get('leases', { namespace, name }).catch((error) => {
      if (!isNotFound(error)) throw error;
    });
    const { renewTime, leaseDurationSeconds = 0, holderIdentity } = lease?.spec ?? {};
    if (!holderIdentity || !renewTime) return `no ${name} leads: Lease ${namespace}/${name} has no holder`;
    if (Date.parse(renewTime) + leaseDurationSeconds * 1000 >= clock.now()) return undefined;
    return `no ${name} leads: ${holderIdentity} last renewed Lease ${namespace}/${name} at ${renewTime}`;
  }
}

const statusOf = (name: string, problem: string | undefined): ComponentStatus => ({
  kind: 'ComponentStatus',
  apiVersion: 'v1',
  // Nothing is stored: there is neither a time nor a revision.
  metadata: { name } as ObjectMeta,
  conditions: [{ type: 'Healthy', status: problem === undefined ? 'True' : 'False', message: problem ?? 'ok' }],
});
