// The default ServiceCIDR, "kubernetes": each API server makes it from its configuration, makes it again after a
// deletion, and otherwise leaves it to administrators.
// https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/service-cidr-v1/

import { conditionOf, ignoreNotFound, isAlreadyExists, type KubeObject, type ServiceCIDR } from '../../api/api.ts';
import { type Client, createEventRecorder, type EventRecorder, errorText, timestamp } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';

const component = 'kubernetes-service-cidr-controller';
const name = 'kubernetes';
const faultReason = 'KubernetesDefaultServiceCIDRError';

type Range = ServiceCIDR & KubeObject;

interface Context {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class DefaultServiceRange {
  readonly #context: Context;
  readonly #cidrs: readonly string[];
  readonly #events: EventRecorder;
  /** Each is reported once. */
  #hasReportedOther = false;
  #hasReportedNotReady = false;

  /** The primary range first in `cidrs`. */
  constructor(context: Context, cidrs: readonly string[]) {
    this.#context = context;
    this.#cidrs = cidrs;
    this.#events = createEventRecorder(context, { component });
  }

  /** Rejects when the range does not exist and cannot be made. */
  async ensure(): Promise<void> {
    const { client } = this.#context;
    const existing = (await client.get('servicecidrs', { name }).catch(ignoreNotFound)) as Range | undefined;
    if (!existing) {
      const made = await this.#make();
      return made && this.#ensureReady(made);
    }
    const { cidrs = [] } = existing.spec ?? {};
    if (this.#cidrs.length === 2 && cidrs.length === 1 && cidrs[0] === this.#cidrs[0]) return this.#widen(existing);
    return this.#ensureReady(existing);
  }

  /** Undefined: another API server was faster. */
  async #make(): Promise<Range | undefined> {
    const object = { metadata: { name }, spec: { cidrs: [...this.#cidrs] } };
    try {
      return (await this.#context.client.create('servicecidrs', object)) as Range;
    } catch (error) {
      if (isAlreadyExists(error)) return undefined;
      this.#fault(
        { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', ...object } as Range,
        'can not be created',
      );
      throw error;
    }
  }

  /** The range of a cluster that got its second family gets it too. */
  async #widen(range: Range): Promise<void> {
    const { client, logger } = this.#context;
    try {
      await client.update('servicecidrs', { ...range, spec: { ...range.spec, cidrs: [...this.#cidrs] } });
    } catch (error) {
      logger.warn('default service range not widened', { error: errorText(error) });
      const [from, to] = [this.#cidrs[0], `[${this.#cidrs.join(' ')}]`];
      this.#fault(range, `can not be upgraded from ${from} to dual stack ${to} : ${(error as Error).message}`);
    }
  }

  async #ensureReady(range: Range): Promise<void> {
    // The controller manager completes the deletion.
    if (range.metadata.deletionTimestamp) return;
    if (!deepEqual(range.spec?.cidrs, this.#cidrs)) return this.#reportOther(range);
    const ready = conditionOf(range, 'Ready');
    if (ready?.status === 'False') return this.#reportNotReady(range, ready);
    if (ready?.status !== 'True') await this.#setReady(range);
  }

  #reportOther(range: Range): void {
    if (this.#hasReportedOther) return;
    this.#hasReportedOther = true;
    const [found, wanted] = [range.spec?.cidrs ?? [], this.#cidrs].map((cidrs) => `[${cidrs.join(' ')}]`);
    this.#context.logger.warn('default ServiceCIDR differs from the configuration', { found, wanted });
    const why = `The default ServiceCIDR ${found} does not match the controller flag configurations ${wanted}`;
    this.#events.event(range, 'Warning', 'KubernetesDefaultServiceCIDRInconsistent', why);
  }

  #reportNotReady(
    range: Range,
    { reason = '', message = '' }: { readonly reason?: string; readonly message?: string },
  ) {
    if (this.#hasReportedNotReady) return;
    this.#hasReportedNotReady = true;
    this.#context.logger.warn('default ServiceCIDR is not ready', { reason, message });
    this.#events.event(range, 'Warning', reason, `Configuration matches, but ${message}`);
  }

  async #setReady(range: Range): Promise<void> {
    const { client, clock, logger } = this.#context;
    const message = 'Kubernetes default Service CIDR is ready';
    const body = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name },
      status: {
        conditions: [
          { type: 'Ready', status: 'True', reason: '', message, lastTransitionTime: timestamp(clock.now()) },
        ],
      },
    };
    const options = { fieldManager: component, subresource: 'status' };
    await client.patch('servicecidrs', { name }, { type: 'apply', body, force: true }, options).catch((error) => {
      logger.warn('status of the default ServiceCIDR not set', { error: errorText(error) });
      this.#fault(range, 'Status can not be set to Ready=True');
    });
  }

  #fault(range: Range, what: string): void {
    this.#events.event(range, 'Warning', faultReason, `The default ServiceCIDR ${what}`);
  }
}
