// The claims that pods of this node use, and the devices that drivers prepared for them. No I/O.

import type { DriverClaim } from './dra-proto.ts';

/** The names are those of the checkpoint. */
export interface ClaimDevice {
  readonly PoolName: string;
  readonly DeviceName: string;
  readonly ShareID: string | null;
  /** Empty: of all requests. */
  readonly RequestNames: readonly string[];
  readonly CDIDeviceIDs: readonly string[];
}

export interface ClaimInfo {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly podUids: Set<string>;
  /** By driver: each that has allocated devices, before and after it has prepared them. */
  readonly drivers: Map<string, readonly ClaimDevice[]>;
  /** By this kubelet: after a restart, drivers prepare the claim again for the next pod. */
  isPrepared: boolean;
}

export const keyOf = (namespace: string, name: string): string => `${namespace}/${name}`;

export const driverClaim = ({ namespace, uid, name }: ClaimInfo): DriverClaim => ({ namespace, uid, name });

export class ClaimState {
  readonly #claims = new Map<string, ClaimInfo>();

  constructor(claims: readonly ClaimInfo[] = []) {
    for (const claim of claims) this.add(claim);
  }

  get(namespace: string, name: string): ClaimInfo | undefined {
    return this.#claims.get(keyOf(namespace, name));
  }

  all(): readonly ClaimInfo[] {
    return [...this.#claims.values()];
  }

  /** The claims that a pod uses. */
  of(podUid: string): readonly ClaimInfo[] {
    return this.all().filter(({ podUids }) => podUids.has(podUid));
  }

  add(claim: ClaimInfo): void {
    this.#claims.set(keyOf(claim.namespace, claim.name), claim);
  }

  remove({ namespace, name }: ClaimInfo): void {
    this.#claims.delete(keyOf(namespace, name));
  }

  /** Uids of the pods that have claims here. */
  podUids(): ReadonlySet<string> {
    return new Set(this.all().flatMap(({ podUids }) => [...podUids]));
  }

  /** Uids of pods with one of the driver's devices, each as pool/device. */
  usersOf(driver: string, devices: ReadonlySet<string>): ReadonlySet<string> {
    const users = this.all().filter(({ drivers }) =>
      drivers.get(driver)?.some(({ PoolName, DeviceName }) => devices.has(`${PoolName}/${DeviceName}`)),
    );
    return new Set(users.flatMap(({ podUids }) => [...podUids]));
  }

  /** Prepared claims by driver; '' is all of them. */
  counts(): ReadonlyMap<string, number> {
    const prepared = this.all().filter(({ isPrepared }) => isPrepared);
    const counts = new Map([['', prepared.length]]);
    for (const { drivers } of prepared)
      for (const driver of drivers.keys()) counts.set(driver, (counts.get(driver) ?? 0) + 1);
    return counts;
  }
}

/** The devices of a claim that a request of a container gets; '' is the whole claim. */
export const devicesOf = ({ drivers }: ClaimInfo, request: string): readonly ClaimDevice[] =>
  [...drivers.values()]
    .flat()
    .filter(({ RequestNames }) => request === '' || RequestNames.length === 0 || RequestNames.includes(request));
