// For tests: the CSI part of a kubelet with a test driver, over an API server in memory and in virtual time.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { vi } from 'vitest';
import type { CSIDriver, Node, PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/api.ts';
import { createClient } from '../../client/client.ts';
import { FakeServer } from '../../client/fake-server.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { MountedVolume } from '../volumes/volume.ts';
import { CsiNodeKeeper } from './csi-node.ts';
import { attachmentName, CsiPaths, csiVolumesOf, uniqueName } from './csi-volume.ts';
import { CsiVolumes } from './csi-volumes.ts';
import { CsiDrivers } from './drivers.ts';
import { CsiRecords } from './records.ts';
import { startTestDriver, type TestDriver } from './test-driver.ts';
import { Turns } from './turns.ts';

export const driverName = 'test.csi';
/** Other tests share the machine. */
const slow = { timeout: 15_000 };

export const podOf = (uid: string, spec: Partial<Pod['spec']> = {}): Pod =>
  ({
    metadata: { name: `pod-${uid}`, namespace: 'default', uid },
    spec: {
      containers: [{ name: 'c' }],
      serviceAccountName: 'account',
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'claim' } }],
      ...spec,
    },
  }) as Pod;

export const volumeOf = (spec: Partial<NonNullable<PersistentVolume['spec']>> = {}): PersistentVolume =>
  ({
    metadata: { name: 'pv' },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      csi: { driver: driverName, volumeHandle: 'handle', fsType: 'ext4', volumeAttributes: { size: 'small' } },
      ...spec,
    },
  }) as PersistentVolume;

export const claimOf = (
  status: PersistentVolumeClaim['status'] = { capacity: { storage: '1Gi' } },
): PersistentVolumeClaim =>
  ({
    metadata: { name: 'claim', namespace: 'default' } as PersistentVolumeClaim['metadata'],
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    status,
  }) as PersistentVolumeClaim;

export class CsiTestNode {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'coracle-csi-'));
  readonly paths = new CsiPaths(this.directory);
  readonly server = new FakeServer();
  readonly client = createClient(this.server);
  readonly clock = new VirtualClock();
  readonly events: string[] = [];
  readonly secrets = new Map<string, Record<string, string>>();
  object: CSIDriver['spec'] | undefined = { attachRequired: false };
  node = { status: {} } as Node;
  reports = 0;
  driver!: TestDriver;
  drivers!: CsiDrivers;
  volumes!: CsiVolumes;

  async start(): Promise<this> {
    this.driver = await startTestDriver({ name: driverName, socket: path.join(this.directory, 'csi.sock') });
    await this.client.create('nodes', { metadata: { name: 'n' } });
    await this.restart();
    return this;
  }

  /** A kubelet that knows nothing of the one before. */
  async restart({ withDriver = true } = {}): Promise<void> {
    await this.volumes?.stop();
    const { clock, client, paths, directory: rootDirectory } = this;
    const objects = new CsiNodeKeeper({ client, clock, logger: silentLogger, nodeName: 'n' });
    this.drivers = new CsiDrivers({ clock, metrics: new Metrics(), rootDirectory, objects, changed: () => {} });
    this.volumes = new CsiVolumes({
      ...{ client, clock, paths, logger: silentLogger, nodeName: 'n', drivers: this.drivers },
      ...{ records: new CsiRecords(), turns: new Turns(clock), synced: Promise.resolve() },
      events: {
        event: (about, type, reason, message) =>
          void this.events.push(`${about.metadata.name} ${type} ${reason}: ${message}`),
        flush: async () => {},
      },
      driverObject: () => this.object && ({ metadata: { name: driverName }, spec: this.object } as CSIDriver),
      secret: async (namespace, name) => {
        const data = this.secrets.get(`${namespace}/${name}`);
        const bytes = Object.entries(data ?? {}).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
        return data && ({ data: Object.fromEntries(bytes) } as never);
      },
      token: async (_pod, audience) => ({
        token: `token for ${audience}`,
        expirationTimestamp: '2026-01-01T01:00:00Z',
      }),
      node: () => this.node,
      reportNode: async () => {
        this.reports++;
        this.node = {
          ...this.node,
          status: { ...this.node.status, volumesInUse: this.volumes.volumesInUse() },
        } as Node;
      },
    });
    await this.volumes.recover();
    if (withDriver) await this.register();
    this.volumes.start();
  }

  register(): Promise<void> {
    return this.drivers.register(driverName, path.join(this.directory, 'csi.sock'), ['1.0.0']);
  }

  /** The pod's volumes, while time passes. */
  async setUp(
    pod: Pod,
    volume = volumeOf(),
    { claim = claimOf(), readOnly = false, signal = new AbortController().signal } = {},
  ): Promise<ReadonlyMap<string, MountedVolume>> {
    const bound = pod.spec.volumes?.some((each) => each.persistentVolumeClaim)
      ? new Map([['data', { volume, claim, readOnly }]])
      : new Map();
    return this.passing(this.volumes.setUp(csiVolumesOf(pod, bound), signal));
  }

  /** Time passes until the promise is settled. */
  async passing<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const done = () => {
      isSettled = true;
    };
    promise.then(done, done);
    while (!isSettled) {
      await this.clock.advance(50);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return promise;
  }

  eventually(condition: () => void): Promise<void> {
    return vi.waitFor(async () => {
      await this.clock.advance(50);
      condition();
    }, slow);
  }

  /** The controller attaches the volume. */
  async attach(attachmentMetadata?: Record<string, string>): Promise<void> {
    const csi = { driver: driverName, handle: 'handle' };
    await this.client.create('volumeattachments', {
      metadata: { name: attachmentName(csi, 'n') },
      status: { attached: true, ...(attachmentMetadata && { attachmentMetadata }) },
    } as never);
    const volumesAttached = [{ name: uniqueName(csi), devicePath: '' }];
    this.node = { ...this.node, status: { ...this.node.status, volumesAttached } } as Node;
  }

  /** The last request of a method. */
  request(name: string): any {
    return this.driver.calls.findLast((call) => call.name === name)?.request;
  }

  async stop(): Promise<void> {
    await this.volumes.stop();
    await this.driver.stop();
    rmSync(this.directory, { recursive: true });
  }
}
