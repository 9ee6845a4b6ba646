// A member that serves: it is watched, and the cluster is kept in order by the leader's machine.

import { rm } from 'node:fs/promises';
import type { Timer } from '../../machinery/time/clock.ts';
import {
  type EtcdAlarm,
  type EtcdCluster,
  type EtcdMemberInfo,
  type EtcdStatus,
  type EtcdTls,
  openEtcdCluster,
} from '../../store/store.ts';
import type { Environment } from '../context.ts';
import { defaultQuotaBytes } from './arguments.ts';
import { removeMember } from './changes.ts';
import type { EtcdProcess } from './etcd-process.ts';
import { type EtcdMember, EtcdMemberError, type EtcdMemberOptions, type EtcdMemberStatus } from './interface.ts';
import { type MemberLayout, memberLayout } from './layout.ts';
import { discardMemberCertificates, ensureMemberCertificates } from './member-certificates.ts';
import { type MemberState, removeState, writeState } from './member-state.ts';
import { replacedBy } from './replaced-cluster.ts';
import { alarmText, maintain, type SeenMember } from './upkeep.ts';

type MemberEnvironment = Pick<Environment, 'clock' | 'logger'>;

interface Started {
  readonly options: EtcdMemberOptions;
  readonly environment: MemberEnvironment;
  readonly process: EtcdProcess;
  readonly tls: Required<EtcdTls>;
  readonly state: MemberState;
}

const lookEveryMs = 5_000;
/** While there is a problem. */
const lookAgainMs = 1_000;
/** One list may come from a member that has not caught up. */
const looksUntilRemoved = 2;
const maintainEveryMs = 60_000;
const renewEveryMs = 86_400_000;

export class RunningMember implements EtcdMember {
  readonly tls: Required<EtcdTls>;
  readonly #options: EtcdMemberOptions;
  readonly #environment: MemberEnvironment;
  readonly #layout: MemberLayout;
  readonly #process: EtcdProcess;
  #state: MemberState;
  #cluster!: EtcdCluster;
  #id = '';
  #problem: string | undefined;
  /** Restarts of the process at the last look. */
  #seenRestarts = 0;
  #timer: Timer | undefined;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;
  /** Looks in a row in which the list of members lacked this one. */
  #missing = 0;
  #nextMaintenanceMs: number;
  #defragmentedMs = Number.NEGATIVE_INFINITY;
  #nextRenewalMs: number;

  private constructor({ options, environment, process, tls, state }: Started) {
    this.#options = options;
    this.#environment = environment;
    this.#layout = memberLayout(options);
    this.#process = process;
    this.tls = tls;
    this.#state = state;
    this.#nextMaintenanceMs = environment.clock.monotonic() + maintainEveryMs;
    this.#nextRenewalMs = environment.clock.monotonic() + renewEveryMs;
  }

  static async start(started: Started): Promise<RunningMember> {
    const member = new RunningMember(started);
    const { clock } = member.#environment;
    member.#cluster = await openEtcdCluster({ clock, endpoints: () => member.endpoints, tls: member.tls });
    await member.#correctAddress();
    await member.#look();
    member.#schedule();
    return member;
  }

  get endpoints(): readonly string[] {
    return [this.#layout.clientUrl, ...this.#state.others];
  }

  health(): string | undefined {
    const { problem, restarts } = this.#process;
    if (problem !== undefined) return problem;
    return restarts === this.#seenRestarts ? this.#problem : 'etcd was restarted and does not serve yet';
  }

  async status() {
    const { pid, restarts } = this.#process;
    const own = (await this.members()).find(({ id }) => id === this.#id);
    const { name } = this.#options;
    const fallback = { name, id: this.#id, clientUrl: this.#layout.clientUrl, isLearner: false, isLeader: false };
    return { ...(own ?? fallback), ...(pid !== undefined && { pid }), restarts };
  }

  async members(): Promise<readonly EtcdMemberStatus[]> {
    return (await this.#seen()).map(({ info, status }) => ({
      name: info.name,
      id: info.id,
      clientUrl: info.clientUrls[0] ?? '',
      isLearner: info.isLearner,
      isLeader: status?.leader === info.id,
      ...(status && { version: status.version, sizeBytes: status.sizeBytes, inUseBytes: status.inUseBytes }),
    }));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#cluster.close();
    await this.#looking;
    await this.#process.stop();
  }

  async remove(name: string): Promise<boolean> {
    const found = (await this.#cluster.members()).members.find((member) => member.name === name);
    if (!found) return false;
    if (found.id === this.#id) throw new EtcdMemberError('a member leaves by itself: run "coracle down --delete" here');
    const { signal } = new AbortController();
    await removeMember({ clock: this.#environment.clock, cluster: this.#cluster, signal }, found);
    return true;
  }

  async leave(): Promise<void> {
    const { members } = await this.#cluster.members();
    if (!members.some(({ id, isLearner }) => id !== this.#id && !isLearner))
      throw new EtcdMemberError('this is the last member of its etcd cluster and cannot leave it: delete the cluster');
    const own = members.find(({ id }) => id === this.#id);
    const { clock } = this.#environment;
    this.#stopped = true; // it removes itself
    // A member that removes itself may end before it answers.
    const cluster = await openEtcdCluster({ clock, endpoints: () => this.endpoints.toReversed(), tls: this.tls });
    const { signal } = new AbortController();
    if (own) await removeMember({ clock, cluster, signal }, own).finally(() => cluster.close());
    await this.stop();
    await rm(this.#layout.data, { recursive: true, force: true });
    await removeState(this.#layout.stateFile);
  }

  /** The others reach this member at its present address. */
  async #correctAddress(): Promise<void> {
    const { memberId, clusterId } = await this.#cluster.status(this.#layout.clientUrl);
    this.#id = memberId;
    if (this.#state.clusterId !== clusterId) await this.#note({ clusterId });
    const own = (await this.#cluster.members()).members.find(({ id }) => id === memberId);
    if (!own || own.peerUrls.includes(this.#layout.peerUrl)) return;
    this.#environment.logger.info('address of the etcd member changed', {
      from: own.peerUrls,
      to: this.#layout.peerUrl,
    });
    await this.#cluster.updatePeerUrl(memberId, this.#layout.peerUrl);
  }

  #schedule(): void {
    if (this.#stopped) return;
    const look = () => {
      this.#looking = this.#look().then(() => this.#schedule());
    };
    const ms = this.health() === undefined ? lookEveryMs : lookAgainMs;
    this.#timer = this.#environment.clock.after(ms, look, { background: true });
  }

  /** Never rejects: a failure is the problem. */
  async #look(): Promise<void> {
    const { restarts } = this.#process;
    try {
      if (this.#environment.clock.monotonic() >= this.#nextRenewalMs) await this.#ensureCertificates();
      if (await this.#isReplaced()) return;
      const { members } = await this.#cluster.members();
      if (this.#isRemoved(members)) return;
      await this.#follow(members);
      const alarms = await this.#cluster.alarms();
      const seen = alarms.length > 0 ? await this.#seen() : [];
      const texts = alarms.map((alarm) => alarmText(alarm, seen, this.#quotaBytes));
      await this.#cluster.confirmQuorum(this.#layout.clientUrl);
      this.#problem = texts.length > 0 ? texts.join('; ') : undefined;
      this.#seenRestarts = restarts;
      await this.#maintainIfDue(alarms);
    } catch (error) {
      if (this.#stopped) return;
      this.#problem = `the etcd member does not serve: ${(error as Error).message}`;
      this.#environment.logger.warn('etcd member does not serve', { error: String(error) });
    }
  }

  /** etcd ends by itself then, and the store would go on through the other members. */
  #isRemoved(members: readonly EtcdMemberInfo[]): boolean {
    if (this.#stopped || members.some(({ id }) => id === this.#id)) {
      this.#missing = 0;
      return false;
    }
    this.#missing++;
    this.#problem = `the cluster has removed the etcd member ${this.#options.name} of this machine: this server stops, and its containers keep running. Run "coracle down --delete" here; then the machine can join again`;
    if (this.#missing === looksUntilRemoved) this.#options.onRemoved?.(new EtcdMemberError(this.#problem));
    return true;
  }

  async #isReplaced(): Promise<boolean> {
    const error = await replacedBy(this.#cluster, this.#state);
    if (!error || this.#stopped) return false;
    if (this.#problem !== error.message) this.#options.onRemoved?.(error);
    this.#problem = error.message;
    return true;
  }

  get #quotaBytes(): number {
    return this.#options.quotaBytes ?? defaultQuotaBytes;
  }

  /** Notes the other members, for the next start and the store. */
  async #follow(members: readonly EtcdMemberInfo[]): Promise<void> {
    const others = members
      .filter(({ id }) => id !== this.#id)
      .flatMap(({ clientUrls }) => clientUrls)
      .sort();
    if (others.join() === this.#state.others.join()) return;
    await this.#note({ others });
  }

  async #note(change: Partial<MemberState>): Promise<void> {
    this.#state = { ...this.#state, phase: 'member', ...change };
    await writeState(this.#layout.stateFile, this.#state);
  }

  async #maintainIfDue(alarms: readonly EtcdAlarm[]): Promise<void> {
    const { clock, logger } = this.#environment;
    if (alarms.length === 0 && clock.monotonic() < this.#nextMaintenanceMs) return;
    this.#nextMaintenanceMs = clock.monotonic() + maintainEveryMs;
    const { leader } = await this.#cluster.status(this.#layout.clientUrl);
    if (leader !== this.#id) return;
    const defragmented = await maintain(this.#cluster, logger, {
      ...{ quotaBytes: this.#quotaBytes, sinceMs: clock.monotonic() - this.#defragmentedMs },
      ...{ alarms, see: () => this.#seen() },
    });
    if (defragmented.length > 0) this.#defragmentedMs = clock.monotonic();
  }

  async renewCertificates(): Promise<void> {
    await discardMemberCertificates(this.#layout.pki);
    await this.#ensureCertificates();
  }

  async #ensureCertificates(): Promise<void> {
    const { clock } = this.#environment;
    const { pki } = this.#layout;
    this.#nextRenewalMs = clock.monotonic() + renewEveryMs;
    Object.assign(this.tls, await ensureMemberCertificates(pki, this.#options.ca, this.#options, clock.now()));
  }

  async #seen(): Promise<readonly SeenMember[]> {
    const { members } = await this.#cluster.members();
    return Promise.all(
      members.map(async (info) => {
        const url = info.clientUrls[0];
        const status: EtcdStatus | undefined =
          url === undefined ? undefined : await this.#cluster.status(url).catch(() => undefined);
        return { info, ...(status && { status }) };
      }),
    );
  }
}
