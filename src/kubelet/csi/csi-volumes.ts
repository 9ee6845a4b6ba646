// The CSI volumes of this node's pods: brings them, keeps them, and takes them away.

import { attaches } from '../../api/api.ts';
import { unlessAborted } from '../pods/unless-aborted.ts';
import { unmountBelow } from '../volumes/mounts.ts';
import { subPathDirectory } from '../volumes/sub-paths.ts';
import type { MountedVolume } from '../volumes/volume.ts';
import { CsiStats } from './csi-stats.ts';
import type { CsiTools } from './csi-tools.ts';
import { attachmentName, type CsiVolume, type PersistentCsiVolume, uniqueName } from './csi-volume.ts';
import { expandCsiVolume, expandedPaths } from './expand-volume.ts';
import { mapVolume } from './map-volume.ts';
import { mountVolume } from './mount-volume.ts';
import { type Device, type Mount, turnOf } from './records.ts';
import { unmountFromNode, unmountFromPod } from './unmount-volume.ts';
import { StepFailure } from './volume-step.ts';

/** Kubernetes' podAttachAndMountTimeout. */
const longestWaitMs = 123_000;
const attachPollMs = 100;
const reportRetryMs = 1_000;

/** gRPC's code of a controller that has no place for a volume. */
const resourceExhausted = 8;

/** The node has as many volumes as it can: the pod must go elsewhere. */
export class AttachLimitError extends Error {
  override readonly name = 'AttachLimitError';
}

export class CsiVolumes {
  readonly #tools: CsiTools;
  readonly #stopped = new AbortController();
  /** Turns of mounted volumes that are being published again or expanded. */
  readonly #renewed = new Set<string>();
  /** Unique names of devices that are being unstaged. */
  readonly #released = new Map<string, Promise<void>>();
  readonly stats: CsiStats;

  constructor(tools: CsiTools) {
    this.#tools = tools;
    this.stats = new CsiStats(tools);
  }

  /** Reads the volumes that an earlier kubelet left; before the node reports its volumes. */
  async recover(): Promise<void> {
    const { records, paths } = this.#tools;
    await records.recover(paths);
  }

  /** Begins to unstage devices that no pod uses any more. */
  start(): void {
    for (const device of this.#tools.records.devices()) this.#release(device);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#tools.drivers.stop();
    await Promise.all(this.#released.values());
    await this.#tools.turns.idle();
  }

  /** For node.status. */
  volumesInUse(): string[] {
    return this.#tools.records.inUse((driver) => this.#attaches(driver));
  }

  #attaches(driver: string): boolean {
    return attaches(this.#tools.driverObject(driver));
  }

  /**
   * Brings the volumes; resolves with them by name. Rejects, in Kubernetes' words, when that takes too long, or with the
   * reason of `signal`. Work on a volume goes on meanwhile.
   */
  async setUp(volumes: readonly CsiVolume[], signal: AbortSignal): Promise<ReadonlyMap<string, MountedVolume>> {
    const late = new AbortController();
    const timer = this.#tools.clock.after(longestWaitMs, () => late.abort(), { background: true });
    const all = AbortSignal.any([signal, late.signal, this.#stopped.signal]);
    const found = new Map<string, MountedVolume>();
    await unlessAborted(this.#tools.synced, all);
    const unattached = new Set(volumes.filter((volume) => this.#isUnattached(volume)).map(({ name }) => name));
    try {
      await Promise.all(
        volumes.map(async (volume) => {
          const path = await this.#bring(volume, all, () => unattached.delete(volume.name));
          const { name, readOnly, isBlock } = volume;
          found.set(name, { path, readOnly, ...(isBlock && { isDevice: true }) });
        }),
      );
      return found;
    } catch (error) {
      if (!late.signal.aborted || signal.aborted || this.#stopped.signal.aborted) throw error;
      const unmounted = volumes.map(({ name }) => name).filter((name) => !found.has(name));
      const why = `unmounted volumes=${list(unmounted)}, unattached volumes=${list(unattached)}, failed to process volumes=[]: context deadline exceeded`;
      const waiting = volumes.filter(({ name }) => unattached.has(name));
      if (await this.#exceedsLimit(waiting))
        throw new AttachLimitError(`Node has reached its volume attachment limit, rejecting pod. ${why}`);
      throw new Error(`Unable to attach or mount volumes: ${why}`);
    } finally {
      timer.cancel();
      late.abort(); // ends the waits for the other volumes
    }
  }

  /** A driver that updates its limit said that the node has no place for the volume: the limit is read again. */
  async #exceedsLimit(volumes: readonly CsiVolume[]): Promise<boolean> {
    const { client, drivers, driverObject, nodeName, logger } = this.#tools;
    for (const volume of volumes) {
      if (!driverObject(volume.driver)?.spec.nodeAllocatableUpdatePeriodSeconds) continue;
      const name = attachmentName(volume, nodeName);
      const attachment = await client.get('volumeattachments', { name }).catch(() => undefined);
      if (attachment?.status?.attachError?.errorCode !== resourceExhausted) continue;
      await drivers.refresh(volume.driver).catch((error) => {
        logger.warn('volume limit of a CSI driver not updated', { driver: volume.driver, error: String(error) });
      });
      return true;
    }
    return false;
  }

  #isUnattached({ lifecycle, driver, handle, pod, specName }: CsiVolume): boolean {
    const isMounted = this.#tools.records.mount(pod.metadata.uid, specName)?.state === 'mounted';
    return lifecycle === 'Persistent' && this.#attaches(driver) && !isMounted && !this.#isAttached({ driver, handle });
  }

  #isAttached(volume: { readonly driver: string; readonly handle: string }): boolean {
    const { volumesAttached = [] } = this.#tools.node()?.status ?? {};
    const name = uniqueName(volume);
    return volumesAttached.some((each) => each.name === name);
  }

  async #bring(volume: CsiVolume, signal: AbortSignal, attached: () => void): Promise<string> {
    const { records, turns, clock } = this.#tools;
    const mount = records.want(volume);
    mount.use = useOf(volume);
    const turn = turnOf(mount);
    if (mount.state === 'mounted') {
      this.#renew(volume, mount);
      return this.#pathOf(volume);
    }
    for (;;) {
      signal.throwIfAborted();
      if (volume.lifecycle === 'Persistent') await this.#untilAttached(volume, signal);
      attached();
      const delayMs = turns.delayMs(turn);
      if (delayMs > 0) await clock.sleep(delayMs, signal);
      const path = await turns.run(turn, () => this.#mount(volume, mount), signal);
      if (path !== undefined) return path;
    }
  }

  #pathOf({ pod: { metadata }, specName, isBlock }: CsiVolume): string {
    const { paths } = this.#tools;
    return isBlock ? paths.podDevice(metadata.uid, specName) : paths.target(metadata.uid, specName);
  }

  /** The node says first that it uses the volume: then the controller does not detach it. */
  async #untilAttached(volume: PersistentCsiVolume, signal: AbortSignal): Promise<void> {
    if (!this.#attaches(volume.driver)) return;
    const { clock, node, reportNode, logger } = this.#tools;
    const name = uniqueName(volume);
    const isReported = () => node()?.status?.volumesInUse?.includes(name) ?? false;
    while (!isReported()) {
      await reportNode().catch((error) => logger.warn('node status not reported', { error: String(error) }));
      if (!isReported()) await clock.sleep(reportRetryMs, signal);
    }
    while (!this.#isAttached(volume)) await clock.sleep(attachPollMs, signal);
  }

  /** The path; undefined, with an event, when it must be repeated. */
  async #mount(volume: CsiVolume, mount: Mount): Promise<string | undefined> {
    const { records, turns, events } = this.#tools;
    if (records.mount(mount.uid, mount.specName) !== mount) throw new Error('the volumes of the pod were removed');
    const turn = turnOf(mount);
    try {
      if (mount.state !== 'mounted') {
        this.#refuseSecondPod(volume, mount);
        await this.#mountOnce(volume, mount);
      }
      turns.succeeded(turn);
      return this.#pathOf(volume);
    } catch (error) {
      turns.failed(turn);
      const reason = error instanceof StepFailure ? error.reason : 'FailedMount';
      events.event(volume.pod, 'Warning', reason, (error as Error).message);
      return undefined;
    }
  }

  async #mountOnce(volume: CsiVolume, mount: Mount): Promise<void> {
    const tools = this.#tools;
    const isMapped = volume.lifecycle === 'Persistent' && volume.isBlock;
    if (isMapped) await mapVolume(volume, mount, tools);
    else await mountVolume(volume, mount, tools);
    if (isMapped) this.#noteMapped(volume);
    const step = isMapped
      ? 'MapVolume.MarkVolumeAsMounted failed while expanding volume'
      : 'MountVolume.Setup failed while expanding volume';
    if (volume.lifecycle === 'Persistent')
      await this.#expand(volume).catch((error) => {
        throw new StepFailure(isMapped ? 'FailedMapVolume' : 'FailedMount', step, volume.specName, error);
      });
    mount.state = 'mounted';
    mount.isRecovered = false;
    void this.stats.refresh(mount);
  }

  #noteMapped({ pod, specName }: CsiVolume): void {
    const { events, paths } = this.#tools;
    const message = `MapVolume.MapPodDevice succeeded for volume "${specName}"`;
    const { uid } = pod.metadata;
    events.event(pod, 'Normal', 'SuccessfulMountVolume', `${message} globalMapPath "${paths.block(specName)}/dev"`);
    events.event(pod, 'Normal', 'SuccessfulMountVolume', `${message} volumeMapPath "${paths.podDevices(uid)}"`);
  }

  #refuseSecondPod(volume: CsiVolume, mount: Mount): void {
    if (volume.lifecycle !== 'Persistent') return;
    const modes = volume.volume.spec?.accessModes ?? [];
    if (modes.length !== 1 || modes[0] !== 'ReadWriteOncePod') return;
    const others = this.#tools.records.mountsOf(volume).filter((each) => each !== mount && each.state !== 'wanted');
    if (others.length === 0) return;
    const step = volume.isBlock ? 'MapVolume.SetUpDevice failed' : 'MountVolume.SetUp failed';
    const why = new Error('volume uses the ReadWriteOncePod access mode and is already in use by another pod');
    throw new StepFailure(volume.isBlock ? 'FailedMapVolume' : 'FailedMount', step, volume.specName, why);
  }

  #expand(volume: PersistentCsiVolume): Promise<void> {
    return expandCsiVolume(volume, expandedPaths(volume, this.#tools.paths), this.#tools);
  }

  /** Publishes a mounted volume again if its driver wants that, and expands it. The pod runs on meanwhile. */
  #renew(volume: CsiVolume, mount: Mount): void {
    const { turns, drivers, driverObject, logger } = this.#tools;
    const turn = turnOf(mount);
    if (this.#renewed.has(turn) || turns.delayMs(turn) > 0 || !drivers.has(volume.driver)) return;
    const publishes = mount.isRecovered || (driverObject(volume.driver)?.spec.requiresRepublish ?? false);
    this.#renewed.add(turn);
    const work = turns.run(turn, async () => {
      if (mount.state !== 'mounted') return;
      if (publishes && !volume.isBlock) await mountVolume(volume, mount, this.#tools);
      if (publishes) mount.isRecovered = false;
      if (volume.lifecycle === 'Persistent') await this.#expandMounted(volume);
      turns.succeeded(turn);
    });
    work
      .catch((error) => {
        turns.failed(turn);
        if (error instanceof StepFailure) this.#tools.events.event(volume.pod, 'Warning', error.reason, error.message);
        else logger.warn('volume not renewed', { volume: volume.specName, error: String(error) });
      })
      .finally(() => this.#renewed.delete(turn));
  }

  async #expandMounted(volume: PersistentCsiVolume): Promise<void> {
    await this.#expand(volume).catch((error) => {
      const step = 'NodeExpandVolume.NodeExpandVolume failed';
      throw new StepFailure('VolumeResizeFailed', step, volume.specName, error);
    });
  }

  /** Takes the pod's volumes away. Repeats a failed operation; with `once` it rejects instead. */
  async tearDown(uid: string, { once = false }: { readonly once?: boolean } = {}): Promise<void> {
    const { records, paths } = this.#tools;
    const mounts = records.mounts(uid);
    if (mounts.length === 0) return;
    await unmountBelow(subPathDirectory(paths.podDirectory(uid)));
    await Promise.all(mounts.map((mount) => this.#takeAway(mount, once)));
  }

  async #takeAway(mount: Mount, once: boolean): Promise<void> {
    const { records, turns, logger } = this.#tools;
    const turn = turnOf(mount);
    const step = mount.isBlock ? 'UnmapVolume.UnmapPodDevice failed' : 'UnmountVolume.TearDown failed';
    await this.#repeat(
      `unmount ${mount.uid}/${mount.specName}`,
      () => turns.run(turn, () => unmountFromPod(mount, this.#tools)),
      (error) => {
        if (once) throw error;
        logger.warn(step, { volume: mount.specName, pod: mount.uid, error: error.message });
      },
    );
    records.forget(mount);
    turns.succeeded(turn);
    if (!mount.isPersistent) return;
    const device = records.device(mount);
    if (device) this.#release(device);
    else this.#reportSoon();
  }

  /** Unstages the device once no pod has it. */
  #release(device: Device): void {
    const name = uniqueName(device);
    const { records, turns, logger } = this.#tools;
    if (this.#released.has(name) || records.mountsOf(device).length > 0) return;
    const unstage = async () => {
      if (records.mountsOf(device).length > 0) return;
      await unmountFromNode(device, this.#tools);
      records.removeDevice(device);
    };
    const work = this.#repeat(
      `unstage ${name}`,
      () => turns.run(name, unstage),
      (error) => logger.warn('UnmountDevice failed', { volume: name, error: error.message }),
    )
      .catch(() => {}) // the kubelet stops
      .finally(() => {
        this.#released.delete(name);
        this.#reportSoon();
      });
    this.#released.set(name, work);
  }

  #reportSoon(): void {
    if (this.#stopped.signal.aborted) return;
    this.#tools.reportNode().catch((error) => {
      this.#tools.logger.warn('node status not reported', { error: String(error) });
    });
  }

  /** With a growing delay, until it works or the kubelet stops. */
  async #repeat(key: string, work: () => Promise<void>, failed: (error: Error) => void): Promise<void> {
    const { turns, clock } = this.#tools;
    const { signal } = this.#stopped;
    for (;;) {
      signal.throwIfAborted();
      try {
        await work();
        return turns.succeeded(key);
      } catch (error) {
        signal.throwIfAborted();
        turns.failed(key);
        failed(error as Error);
        await clock.sleep(turns.delayMs(key), signal);
      }
    }
  }
}

const useOf = ({ name, pod, ...volume }: CsiVolume): Mount['use'] => ({
  volume: name,
  namespace: pod.metadata.namespace ?? '',
  ...(volume.lifecycle === 'Persistent' && { claim: volume.claim.metadata.name }),
});

const list = (names: Iterable<string>): string => `[${[...names].sort().join(' ')}]`;
