// Leader election over a Lease, with client-go's rules and times: the holder of the Lease leads, renews it every retry
// period, loses it if no renewal succeeds within the renew deadline, and releases it on a clean stop.
// https://kubernetes.io/docs/concepts/architecture/leases/

import { isAlreadyExists, isConflict, isNotFound, type KubeObject, type Lease } from '../api/api.ts';
import type { ComponentContext } from './component.ts';
import { createEventRecorder, microTimestamp } from './events/events.ts';

interface LeaderElectionOptions {
  /** Name of the Lease, such as kube-controller-manager. */
  readonly name: string;
  /** Default kube-system. */
  readonly namespace?: string;
  /** Unique to this process. */
  readonly identity: string;
  readonly leaseDurationMs?: number;
  readonly renewDeadlineMs?: number;
  readonly retryPeriodMs?: number;
  /** Called once when leading begins. */
  onStartedLeading(): void | Promise<void>;
  /** Called when leadership is lost unexpectedly; the process should stop the led work at once. */
  onStoppedLeading(): void;
}

export interface LeaderElection {
  readonly leading: boolean;
  /** Whether it leads and no other process can have taken over by now, by the clock of this process. */
  readonly holds: boolean;
  /** The identity that leads now, as far as seen. */
  readonly leader: string;
  /** Leaves the election, and releases the Lease if this process holds it. */
  stop(): Promise<void>;
}

const jitterFactor = 1.2;

export function runLeaderElection(context: ComponentContext, options: LeaderElectionOptions): LeaderElection {
  const elector = new Elector(context, options);
  elector.start();
  return elector;
}

class Elector implements LeaderElection {
  readonly #context: ComponentContext;
  readonly #options: Required<LeaderElectionOptions>;
  readonly #stop = new AbortController();
  /** Aborted when the holder releases the Lease. */
  #released = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #observed: Lease | undefined;
  /** The local time of the last observed change of the Lease: clocks of other machines are not trusted. */
  #observedAtMs = 0;
  /** The local time of the last request that succeeded in renewing. */
  #renewedAtMs = Number.NEGATIVE_INFINITY;
  leading = false;

  constructor(context: ComponentContext, options: LeaderElectionOptions) {
    this.#context = context;
    this.#options = {
      namespace: 'kube-system',
      leaseDurationMs: 15_000,
      renewDeadlineMs: 10_000,
      retryPeriodMs: 2_000,
      ...options,
    };
  }

  get holds(): boolean {
    return this.leading && this.#context.clock.monotonic() - this.#renewedAtMs < this.#options.leaseDurationMs;
  }

  get leader(): string {
    return this.#observed?.spec.holderIdentity ?? '';
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { retryPeriodMs } = this.#options;
    const { clock, random, logger } = this.#context;
    const candidacy = new AbortController();
    for (let attempt = 0; !signal.aborted && !(await this.#tryToHold()); attempt++) {
      if (attempt === 0) void this.#watchForRelease(AbortSignal.any([signal, candidacy.signal]));
      const released = this.#released.signal;
      const waitMs = retryPeriodMs * (1 + random.next() * jitterFactor);
      await clock.sleep(waitMs, AbortSignal.any([signal, released])).catch(() => {});
    }
    candidacy.abort();
    if (signal.aborted) return this.#release();
    this.leading = true;
    logger.info('became leader', { lease: this.#options.name, identity: this.#options.identity });
    this.#announce('became leader');
    const started = Promise.resolve(this.#options.onStartedLeading()).catch((error) => this.#context.fatal(error));
    const lost = await this.#renew();
    await started;
    this.leading = false;
    if (lost) this.#options.onStoppedLeading();
    else await this.#release();
  }

  /** Ends the wait for the next attempt when the holder releases the Lease: a planned stop hands over at once. */
  async #watchForRelease(signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#context;
    const { name, namespace, retryPeriodMs } = this.#options;
    const selection = { namespace, fieldSelector: `metadata.name=${name}` };
    while (!signal.aborted) {
      try {
        for await (const event of client.watch('leases', selection, signal)) {
          if (event.type === 'ERROR') break;
          if (event.type !== 'DELETED' && event.object.spec.holderIdentity) continue;
          this.#released.abort();
          this.#released = new AbortController();
        }
      } catch {} // the attempts go on without it
      await clock.sleep(retryPeriodMs, signal).catch(() => {});
    }
  }

  /** True if leadership was lost, false after stop(). */
  async #renew(): Promise<boolean> {
    const { signal } = this.#stop;
    const { clock, logger } = this.#context;
    const { retryPeriodMs, renewDeadlineMs, name } = this.#options;
    let renewedMs = clock.monotonic();
    while (!signal.aborted) {
      await clock.sleep(retryPeriodMs, signal).catch(() => {});
      if (signal.aborted) return false;
      if (await this.#within(renewDeadlineMs - (clock.monotonic() - renewedMs))) renewedMs = clock.monotonic();
      else if (clock.monotonic() - renewedMs >= renewDeadlineMs || this.leader !== this.#options.identity) {
        logger.error('lost leadership', { lease: name, leader: this.leader });
        this.#announce('stopped leading');
        return true;
      }
    }
    return false;
  }

  /** One attempt, aborted after `ms`: a server that never responds must not extend leadership. */
  #within(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#context.clock.after(Math.max(ms, 0), () => resolve(false));
      void this.#tryToHold().then((held) => {
        timer.cancel();
        resolve(held);
      });
    });
  }

  async #tryToHold(): Promise<boolean> {
    const { client, clock, logger } = this.#context;
    const { name, namespace, identity, leaseDurationMs } = this.#options;
    const beginMs = clock.monotonic();
    try {
      const lease = await this.#read();
      const now = microTimestamp(clock.now());
      const mine = lease?.spec.holderIdentity === identity;
      const spec = {
        holderIdentity: identity,
        leaseDurationSeconds: Math.round(leaseDurationMs / 1000),
        acquireTime: mine ? lease.spec.acquireTime : now,
        renewTime: now,
        leaseTransitions: lease ? (lease.spec.leaseTransitions ?? 0) + (mine ? 0 : 1) : 0,
      };
      if (!lease) {
        this.#observe(await client.create('leases', { metadata: { name, namespace }, spec }));
        this.#renewedAtMs = beginMs;
        return true;
      }
      const expired = this.#observedAtMs + (lease.spec.leaseDurationSeconds ?? 0) * 1000 <= clock.monotonic();
      if (!mine && lease.spec.holderIdentity && !expired) return false;
      this.#observe(await client.update('leases', { ...lease, spec: { ...lease.spec, ...spec } }));
      this.#renewedAtMs = beginMs;
      return true;
    } catch (error) {
      if (!isConflict(error) && !isAlreadyExists(error))
        logger.warn('lease not acquired or renewed', { lease: name, error: String(error) });
      return false;
    }
  }

  async #read(): Promise<Lease | undefined> {
    const { name, namespace } = this.#options;
    try {
      const lease = await this.#context.client.get('leases', { name, namespace });
      this.#observe(lease);
      return lease;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #observe(lease: Lease): void {
    if (lease.metadata.resourceVersion === this.#observed?.metadata.resourceVersion) return;
    this.#observed = lease;
    this.#observedAtMs = this.#context.clock.monotonic();
  }

  async #release(): Promise<void> {
    const lease = this.#observed;
    if (!lease || lease.spec.holderIdentity !== this.#options.identity) return;
    const { client, clock, logger } = this.#context;
    const now = microTimestamp(clock.now());
    const spec = {
      leaseTransitions: lease.spec.leaseTransitions,
      leaseDurationSeconds: 1,
      acquireTime: now,
      renewTime: now,
      holderIdentity: '',
    };
    await client
      .update('leases', { ...lease, spec })
      .catch((error) => logger.warn('lease not released', { error: String(error) }));
  }

  #announce(change: string): void {
    const lease = this.#observed as KubeObject | undefined;
    if (!lease) return;
    const recorder = createEventRecorder(this.#context, { component: this.#options.name });
    const object = { ...lease, apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
    recorder.event(object, 'Normal', 'LeaderElection', `${this.#options.identity} ${change}`);
  }
}
