// Dynamic resources of pods: drivers prepare the claims of a pod before its containers start, and undo it once its
// containers have stopped. https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
//
// Work on one claim is done in turns: a driver that hangs delays the pods of its claims only. The checkpoint is written
// before a driver is called, so that the next kubelet can free all claims.

import type { Container, Pod } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Metrics } from '../../machinery/metrics.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { Turns } from '../csi/turns.ts';
import type { PluginHandler } from '../plugins/plugin-registry.ts';
import { readClaims, writeClaims } from './claim-checkpoint.ts';
import { type ClaimInfo, ClaimState, devicesOf, keyOf } from './claim-state.ts';
import { type AllocatedResourcesStatus, claimStatuses } from './claim-statuses.ts';
import { DevicesHealth } from './device-health.ts';
import { DraDrivers, draBuckets } from './dra-drivers.ts';
import { checkClaim, containerRequests, driversOf, podClaims } from './pod-claims.ts';
import { type FetchedClaim, Preparation } from './preparation.ts';
import { SliceWiper } from './slice-wiper.ts';

const reconcilePeriodMs = 60_000;
/** A pod whose claims cannot be freed is tried again after this long, as in Kubernetes. */
const unprepareRetryMs = 10_000;

interface DynamicResourcesTools {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly nodeName: string;
  readonly rootDirectory: string;
  readonly activePods: () => readonly Pod[];
  /** Looks at the pod again: its devices, or the drivers that it waits for, changed. */
  wake(uid: string): void;
}

export class DynamicResources {
  readonly #tools: DynamicResourcesTools;
  readonly #drivers: DraDrivers;
  readonly #wiper: SliceWiper;
  readonly #health = new DevicesHealth();
  readonly #turns: Turns;
  readonly #stopped = new AbortController();
  /** Pods whose claims could not be prepared. */
  readonly #waiting = new Set<string>();
  /** When claims of a pod could not be freed, in monotonic milliseconds. */
  readonly #failures = new Map<string, number>();
  #claims = new ClaimState();
  #preparation: Preparation;
  #saved: Promise<unknown> = Promise.resolve();

  constructor(tools: DynamicResourcesTools) {
    const { client, clock, logger, metrics, nodeName, rootDirectory } = tools;
    this.#tools = tools;
    this.#turns = new Turns(clock);
    this.#wiper = new SliceWiper({ client, clock, logger, nodeName });
    this.#drivers = new DraDrivers({
      ...{ clock, logger, metrics, rootDirectory },
      usable: (driver) => {
        this.#wiper.usable(driver);
        for (const uid of this.#waiting) tools.wake(uid);
      },
      unusable: (driver) => this.#wiper.unusable(driver),
      health: (driver, answer) => {
        if (!answer) return this.#health.clear(driver);
        const changed = this.#health.update(driver, answer, clock.monotonic());
        for (const uid of this.#claims.usersOf(driver, changed)) tools.wake(uid);
      },
    });
    this.#preparation = new Preparation(this.#claims, this.#drivers, () => this.#save());
  }

  /** Of plugins of type DRAPlugin. */
  get handler(): PluginHandler {
    return this.#drivers;
  }

  /** Reads the claims that drivers have prepared for an earlier kubelet. Rejects if they are damaged. */
  async start(): Promise<void> {
    this.#claims = new ClaimState(await readClaims(this.#tools.rootDirectory));
    this.#preparation = new Preparation(this.#claims, this.#drivers, () => this.#save());
    const gauge = this.#tools.metrics.gauge(
      'dra_resource_claims_in_use',
      'The number of ResourceClaims that are currently in use on the node, by driver name (driver_name label value) and across all drivers (special value <any> for driver_name). Note that the sum of all by-driver counts is not the total number of in-use ResourceClaims because the same ResourceClaim might use devices from different drivers. Instead, use the count for the <any> driver_name.',
    );
    this.#tools.metrics.onCollect(() => {
      gauge.clear();
      for (const [driver, count] of this.#claims.counts()) gauge.set(count, { driver_name: driver || '<any>' });
    });
  }

  /** Frees the claims of pods that are gone, at intervals, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, activePods } = this.#tools;
    this.#wiper.start();
    while (!signal.aborted) {
      const active = new Set(activePods().map(({ metadata }) => metadata.uid));
      for (const uid of this.#claims.podUids())
        if (!active.has(uid))
          void this.unprepare(uid).catch((error) => logger.warn('claims not freed', { uid, error: error.message }));
      await clock.sleep(reconcilePeriodMs, signal).catch(() => {});
    }
    this.#stopped.abort();
    this.#wiper.stop();
    this.#drivers.stop();
    await this.#turns.idle();
    await this.#saved.catch(() => {});
  }

  /** Rejects with the text of the event. */
  async prepare(pod: Pod, signal: AbortSignal): Promise<void> {
    const { uid } = pod.metadata;
    if (!pod.spec.resourceClaims?.length && !pod.status?.extendedResourceClaimStatus) return;
    try {
      await this.#timed('PrepareResources', async () => {
        const claims = await this.#fetch(pod);
        await this.#inTurns(
          claims.map(({ claim }) => keyOf(claim.metadata.namespace ?? '', claim.metadata.name)),
          () => this.#preparation.prepare(uid, claims, signal),
          signal,
        );
      });
      this.#waiting.delete(uid);
    } catch (error) {
      signal.throwIfAborted();
      this.#waiting.add(uid);
      throw new Error(`prepare dynamic resources: ${(error as Error).message}`);
    }
  }

  /** Nothing is recorded before all claims are found to be usable: otherwise a pod could not be deleted later. */
  async #fetch(pod: Pod): Promise<readonly FetchedClaim[]> {
    const found = new Map<string, FetchedClaim>();
    for (const reference of podClaims(pod)) {
      const { name } = reference;
      const claim = await this.#tools.client
        .get('resourceclaims', { namespace: pod.metadata.namespace ?? '', name })
        .catch((error) => {
          throw new Error(`fetch ResourceClaim ${name}: ${error.message}`);
        });
      checkClaim(pod, claim, reference);
      const drivers = driversOf(claim);
      for (const driver of drivers) this.#drivers.require(driver);
      found.set(claim.metadata.uid, { claim, drivers });
    }
    return [...found.values()];
  }

  /** Once the pod's containers have stopped. Rejects as long as a driver has not undone its part. */
  async unprepare(uid: string): Promise<void> {
    this.#waiting.delete(uid);
    const claims = this.#claims.of(uid);
    if (claims.length === 0) return void this.#failures.delete(uid);
    const { clock } = this.#tools;
    const failedMs = this.#failures.get(uid);
    if (failedMs !== undefined) {
      const leftMs = failedMs + unprepareRetryMs - clock.monotonic();
      if (leftMs > 0) await clock.sleep(leftMs, this.#stopped.signal);
    }
    try {
      await this.#timed('UnprepareResources', () =>
        this.#inTurns(
          claims.map(({ namespace, name }) => keyOf(namespace, name)),
          () => this.#preparation.undo(uid),
        ),
      );
      this.#failures.delete(uid);
    } catch (error) {
      this.#failures.set(uid, clock.monotonic());
      throw new Error(`unprepare dynamic resources: ${(error as Error).message}`);
    }
  }

  /** In a fixed order, so that two pods with the same claims do not wait for each other. */
  #inTurns(keys: readonly string[], work: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    const [key, ...others] = keys.toSorted();
    return key === undefined ? work() : this.#turns.run(key, () => this.#inTurns(others, work, signal), signal);
  }

  async #timed(operation: string, work: () => Promise<void>): Promise<void> {
    const { clock, metrics } = this.#tools;
    const startedMs = clock.monotonic();
    let isError = true;
    try {
      await work();
      isError = false;
    } finally {
      metrics
        .histogram(
          'dra_operations_duration_seconds',
          "Latency histogram in seconds for the duration of handling all ResourceClaims referenced by a pod when the pod starts or stops. Identified by the name of the operation (PrepareResources or UnprepareResources) and separated by the success of the operation. The number of failed operations is provided through the histogram's overall count.",
          draBuckets,
        )
        .observe((clock.monotonic() - startedMs) / 1000, { operation_name: operation, is_error: String(isError) });
    }
  }

  #save(): Promise<void> {
    const saved = this.#saved
      .catch(() => {})
      .then(() => writeClaims(this.#tools.rootDirectory, this.#claims.all()))
      .catch((error) => {
        throw new Error(`checkpoint ResourceClaim state: ${error.message}`);
      });
    this.#saved = saved;
    return saved;
  }

  /** Qualified names of the devices that a container gets. Throws an Error if its claims are not prepared. */
  cdiDevices(pod: Pod, container: Container): readonly string[] {
    const { namespace = '' } = pod.metadata;
    return containerRequests(pod, container).flatMap(({ claim: { name }, request }) => {
      const info = this.#claims.get(namespace, name);
      if (!info)
        throw new Error(`internal error: unable to get claim info for ResourceClaim ${name} in namespace ${namespace}`);
      return devicesOf(info, request).flatMap(({ CDIDeviceIDs }) => CDIDeviceIDs);
    });
  }

  /** Prepared claims that a container uses. */
  claimsOf(pod: Pod, container: Container): readonly ClaimInfo[] {
    const names = new Set(containerRequests(pod, container).map(({ claim }) => claim.name));
    return [...names].flatMap((name) => this.#claims.get(pod.metadata.namespace ?? '', name) ?? []);
  }

  /** For the statuses of a pod's containers, by name. */
  healthOf(pod: Pod): ReadonlyMap<string, AllocatedResourcesStatus> {
    const nowMs = this.#tools.clock.monotonic();
    return claimStatuses(pod, this.#claims, (driver, device) => this.#health.of(driver, device, nowMs));
  }
}
