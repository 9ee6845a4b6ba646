// Has drivers prepare the claims of one pod, or undo that. The caller has the turns of all of these claims.

import type { ResourceV1ResourceClaim } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import { type ClaimDevice, type ClaimInfo, type ClaimState, driverClaim } from './claim-state.ts';
import type { DraDrivers } from './dra-drivers.ts';
import type { PrepareAnswer, PreparedDevice, UnprepareAnswer } from './dra-proto.ts';

export interface FetchedClaim {
  readonly claim: ResourceV1ResourceClaim;
  readonly drivers: readonly string[];
}

export class Preparation {
  readonly #claims: ClaimState;
  readonly #drivers: Pick<DraDrivers, 'call'>;
  readonly #save: () => Promise<void>;

  constructor(claims: ClaimState, drivers: Pick<DraDrivers, 'call'>, save: () => Promise<void>) {
    this.#claims = claims;
    this.#drivers = drivers;
    this.#save = save;
  }

  async prepare(podUid: string, fetched: readonly FetchedClaim[], signal: AbortSignal): Promise<void> {
    for (const { claim } of fetched) this.#refuseFormer(claim);
    const infos = fetched.map((each) => this.#use(podUid, each));
    await this.#save();
    const unprepared = infos.filter(({ isPrepared }) => !isPrepared);
    if (unprepared.length === 0) return;
    await allOf(byDriver(unprepared), ([driver, claims]) => this.#prepareWith(driver, claims, signal));
    for (const info of unprepared) info.isPrepared = true;
    await this.#save();
  }

  #refuseFormer({ metadata: { namespace = '', name, uid } }: ResourceV1ResourceClaim): void {
    const existing = this.#claims.get(namespace, name);
    if (existing && existing.uid !== uid)
      throw new Error(
        `old ResourceClaim with same name ${name} and different UID ${existing.uid} still exists (previous pod force-deleted?!)`,
      );
  }

  #use(podUid: string, { claim, drivers }: FetchedClaim): ClaimInfo {
    const { namespace = '', name, uid } = claim.metadata;
    const existing = this.#claims.get(namespace, name);
    const info = existing ?? {
      ...{ uid, name, namespace, isPrepared: false, podUids: new Set<string>() },
      drivers: new Map(drivers.map((driver): [string, readonly ClaimDevice[]] => [driver, []])),
    };
    info.podUids.add(podUid);
    if (!existing) this.#claims.add(info);
    return info;
  }

  async #prepareWith(driver: string, infos: readonly ClaimInfo[], signal: AbortSignal): Promise<void> {
    const method = 'NodePrepareResources';
    const answer = await this.#drivers.call<PrepareAnswer>(driver, method, infos.map(driverClaim), signal);
    checkAnswer(method, infos, answer);
    for (const info of infos) info.drivers.set(driver, (answer.claims[info.uid]?.devices ?? []).map(toDevice));
  }

  /** Claims that other pods use stay prepared. */
  async undo(podUid: string): Promise<void> {
    const own = this.#claims.of(podUid);
    const shared = own.filter(({ podUids }) => podUids.size > 1);
    for (const { podUids } of shared) podUids.delete(podUid);
    const last = own.filter((info) => !shared.includes(info));
    try {
      await allOf(byDriver(last), ([driver, infos]) => this.#undoWith(driver, infos));
      for (const info of last) this.#claims.remove(info);
    } finally {
      await this.#save();
    }
  }

  async #undoWith(driver: string, infos: readonly ClaimInfo[]): Promise<void> {
    const method = 'NodeUnprepareResources';
    checkAnswer(method, infos, await this.#drivers.call<UnprepareAnswer>(driver, method, infos.map(driverClaim)));
  }
}

function byDriver(infos: readonly ClaimInfo[]): ReadonlyMap<string, readonly ClaimInfo[]> {
  const batches = new Map<string, ClaimInfo[]>();
  for (const info of infos)
    for (const driver of info.drivers.keys()) {
      if (!batches.has(driver)) batches.set(driver, []);
      must(batches.get(driver), driver).push(info);
    }
  return batches;
}

/** All at the same time; the first failure counts once all have ended. */
async function allOf<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled([...items].map(work));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

function checkAnswer(
  method: string,
  infos: readonly ClaimInfo[],
  { claims }: { readonly claims: Readonly<Record<string, { readonly error: string }>> },
): void {
  for (const [uid, { error }] of Object.entries(claims)) {
    const asked = infos.find((info) => info.uid === uid);
    if (!asked) throw new Error(`${method} returned result for unknown claim UID ${shortened(uid)}`);
    if (error) throw new Error(`${method} failed for ResourceClaim ${asked.name}: ${shortened(error)}`);
  }
  const skipped = infos.length - Object.keys(claims).length;
  if (skipped !== 0) throw new Error(`${method} skipped ${skipped} ResourceClaims`);
}

/** Events have at most 1024 bytes. */
const longestText = 4096;
const shortened = (text: string) => (text.length > longestText ? `${text.slice(0, longestText)}...` : text);

const toDevice = ({ poolName, deviceName, shareId, requestNames, cdiDeviceIds }: PreparedDevice): ClaimDevice => ({
  ...{ PoolName: poolName, DeviceName: deviceName, ShareID: shareId ?? null },
  ...{ RequestNames: requestNames, CDIDeviceIDs: cdiDeviceIds },
});
