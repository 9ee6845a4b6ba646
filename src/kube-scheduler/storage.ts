// The storage objects that the scheduler reads, with the choices that it made and has not written yet ("assumed").

import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  VolumeAttachment,
} from '../api/api.ts';
import { storageClassOf } from '../api/api.ts';
import { type ComponentContext, createInformer, type Informer, keyOf } from '../client/client.ts';
import { must } from '../machinery/must.ts';
import type { ClusterEvent } from './cluster-events.ts';

/** An informer of any kind, for its events only. */
type Source = Pick<Informer<unknown>, 'handle'>;

export interface Storage {
  claim(namespace: string, name: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
  volumesOfClass(name: string): readonly PersistentVolume[];
  class(name: string): StorageClass | undefined;
  csiNode(name: string): CSINode | undefined;
  driver(name: string): CSIDriver | undefined;
  capacities(): readonly CSIStorageCapacity[];
  attachmentsOf(node: string): readonly VolumeAttachment[];
  /** Shows these objects instead of the cached ones, until those change or the returned function is called. */
  assume(volumes: readonly PersistentVolume[], claims: readonly PersistentVolumeClaim[]): () => void;
  /** Grows whenever a volume changes, also by `assume`. */
  revision(): number;
  /** Calls the listener after each change of a claim or volume, until the returned function is called. */
  onChange(listener: () => void): () => void;
}

/** A cluster without any storage. */
export const noStorage: Storage = {
  claim: () => undefined,
  volume: () => undefined,
  volumesOfClass: () => [],
  class: () => undefined,
  csiNode: () => undefined,
  driver: () => undefined,
  capacities: () => [],
  attachmentsOf: () => [],
  assume: () => () => {},
  revision: () => 0,
  onChange: () => () => {},
};

const byClass = 'class';
const byNode = 'node';

/** Assumed objects in front of an informer's. An object that changed in the cache is newer than the assumed one. */
class Assumed<T extends PersistentVolume | PersistentVolumeClaim> {
  readonly #objects = new Map<string, T>();
  readonly #informer: Informer<T>;

  constructor(informer: Informer<T>) {
    this.#informer = informer;
  }

  get(key: string): T | undefined {
    const cached = this.#informer.get(key);
    return cached && this.newest(cached);
  }

  newest(cached: T): T {
    const assumed = this.#objects.get(keyOf(cached));
    return assumed?.metadata.resourceVersion === cached.metadata.resourceVersion ? (assumed ?? cached) : cached;
  }

  add(object: T): void {
    this.#objects.set(keyOf(object), object);
  }

  remove(object: T): void {
    if (this.#objects.get(keyOf(object)) === object) this.#objects.delete(keyOf(object));
  }
}

interface OpenStorage {
  readonly storage: Storage;
  /** Begins to report events; the first are those of all existing objects. */
  start(wake: (event: ClusterEvent) => void): void;
  stop(): Promise<void>;
}

/** Resolves when the caches are filled. */
export async function openStorage(context: ComponentContext): Promise<OpenStorage> {
  const claims = createInformer(context, 'persistentvolumeclaims');
  const volumes = createInformer(context, 'persistentvolumes');
  const classes = createInformer(context, 'storageclasses');
  const csiNodes = createInformer(context, 'csinodes');
  const drivers = createInformer(context, 'csidrivers');
  const capacities = createInformer(context, 'csistoragecapacities');
  const attachments = createInformer(context, 'volumeattachments');
  const informers = [claims, volumes, classes, csiNodes, drivers, capacities, attachments];
  await Promise.all(informers.map((informer) => informer.synced()));
  volumes.addIndex(byClass, (volume) => [storageClassOf(volume)]);
  attachments.addIndex(byNode, ({ spec }) => [spec.nodeName]);
  let revision = 0;
  volumes.handle(() => void revision++);
  const assumedVolumes = new Assumed<PersistentVolume>(volumes);
  const assumedClaims = new Assumed<PersistentVolumeClaim>(claims);
  return {
    storage: {
      claim: (namespace, name) => assumedClaims.get(`${namespace}/${name}`),
      volume: (name) => assumedVolumes.get(name),
      volumesOfClass: (name) => volumes.by(byClass, name).map((volume) => assumedVolumes.newest(volume)),
      class: (name) => classes.get(name),
      csiNode: (name) => csiNodes.get(name),
      driver: (name) => drivers.get(name),
      capacities: () => capacities.list(),
      attachmentsOf: (node) => attachments.by(byNode, node),
      assume(newVolumes, newClaims) {
        for (const volume of newVolumes) assumedVolumes.add(volume);
        for (const claim of newClaims) assumedClaims.add(claim);
        revision++;
        return () => {
          revision++;
          for (const volume of newVolumes) assumedVolumes.remove(volume);
          for (const claim of newClaims) assumedClaims.remove(claim);
        };
      },
      revision: () => revision,
      onChange(listener) {
        const ends = ([claims, volumes] as readonly Source[]).map((informer) => informer.handle(listener));
        return () => {
          for (const end of ends) end();
        };
      },
    },
    start(wake) {
      claims.handle((next, old) => wake({ type: 'claim-changed', claim: must(next ?? old, 'claim') }));
      for (const informer of [volumes, classes, capacities] as readonly Source[])
        informer.handle(() => wake({ type: 'storage-changed' }));
      for (const informer of [csiNodes, drivers, attachments] as readonly Source[])
        informer.handle(() => wake({ type: 'csi-changed' }));
    },
    stop: async () => void (await Promise.all(informers.map((informer) => informer.stop()))),
  };
}
