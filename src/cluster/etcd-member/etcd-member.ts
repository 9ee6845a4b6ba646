// One machine's member of the control plane's etcd cluster: a real etcd, which this process starts, joins to its
// cluster, and keeps running.

import { access, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../machinery/time/clock.ts';
import { type EtcdCluster, type EtcdTls, openEtcdCluster } from '../../store/store.ts';
import type { KeyPair } from '../certificates/certificates.ts';
import type { Environment } from '../context.ts';
import { etcdArguments } from './arguments.ts';
import { removeMember } from './changes.ts';
import { EtcdProcess, endFormerEtcd } from './etcd-process.ts';
import { type EtcdMember, EtcdMemberError, type EtcdMemberOptions } from './interface.ts';
import { addLearner, inspectCluster, type Joiner, promoteWhenInSync, removeReplaced } from './join.ts';
import { type MemberLayout, memberLayout, runFileName, stateFileName } from './layout.ts';
import { ensureMemberCertificates } from './member-certificates.ts';
import { lostRemedy, type MemberState, readState, removeState, writeState } from './member-state.ts';
import { checkPorts } from './ports.ts';
import { type EtcdProgram, findEtcd } from './program.ts';
import { replacedBy } from './replaced-cluster.ts';
import { RunningMember } from './running-member.ts';

export { openCopiedMember } from './copied-member.ts';
export { type EtcdMember, EtcdMemberError, type EtcdMemberOptions, type EtcdMemberStatus } from './interface.ts';
export { lostRemedy } from './member-state.ts';

type MemberEnvironment = Pick<Environment, 'clock' | 'random' | 'logger'>;

/** Waits for other members at a start: machines of one cluster may start minutes apart. */
const quorumMs = 600_000;
const pollMs = 100;
const firstReportMs = 2_000;
const reportEveryMs = 10_000;

/** Resolves when the member serves. Throws EtcdMemberError; a failed join leaves nothing behind. */
export async function startEtcdMember(options: EtcdMemberOptions, environment: MemberEnvironment): Promise<EtcdMember> {
  if (/[,=\s]/.test(options.name)) throw new EtcdMemberError(`"${options.name}" cannot be the name of an etcd member`);
  const program = await findEtcd(options.program);
  const layout = memberLayout(options);
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const client = await ensureMemberCertificates(layout.pki, options.ca, options, environment.clock.now());
  const logger = environment.logger.child({ component: 'etcd' });
  const start = new MemberStart(options, { ...environment, logger }, program, layout, client);
  return start.run();
}

/** The record of the member in its directory; undefined: there is none. Throws EtcdMemberError for a damaged one. */
export const readMember = (directory: string): Promise<MemberState | undefined> =>
  readState(path.join(directory, stateFileName));

/** Ends the member's process, if it outlived the main one. */
export const endFormerMember = (directory: string, clock: Clock): Promise<void> =>
  endFormerEtcd(path.join(directory, runFileName), clock);

const hasData = (data: string): Promise<boolean> =>
  access(path.join(data, 'member')).then(
    () => true,
    () => false,
  );

class MemberStart {
  readonly #options: EtcdMemberOptions;
  readonly #environment: MemberEnvironment;
  readonly #program: EtcdProgram;
  readonly #layout: MemberLayout;
  readonly #tls: Required<EtcdTls>;
  readonly #signal: AbortSignal;

  constructor(
    options: EtcdMemberOptions,
    environment: MemberEnvironment,
    program: EtcdProgram,
    layout: MemberLayout,
    client: KeyPair,
  ) {
    this.#options = options;
    this.#environment = environment;
    this.#program = program;
    this.#layout = layout;
    this.#tls = { ca: options.ca.cert, ...client };
    this.#signal = options.signal ?? new AbortController().signal;
  }

  async run(): Promise<EtcdMember> {
    const { stateFile } = this.#layout;
    const { join } = this.#options;
    let state = await readState(stateFile);
    if (state?.phase === 'member' && !(await hasData(this.#layout.data)))
      throw new EtcdMemberError(`the data of this etcd member is missing (${this.#layout.data}): ${lostRemedy}`);
    if (state?.phase === 'joining') state = await this.#resolveJoining(state);
    if (state) return this.#serve(state);
    if (!join) return this.#form();
    // A former life of this machine may be among them.
    const others = join.endpoints.filter((url) => url !== this.#layout.clientUrl);
    return this.#join(others.length > 0 ? others : join.endpoints);
  }

  /** The first member of a new cluster. */
  async #form(): Promise<EtcdMember> {
    const { name } = this.#options;
    await checkPorts(this.#options);
    const members = `${name}=${this.#layout.peerUrl}`;
    const initial = { state: 'new', members, token: this.#environment.random.uuid() } as const;
    const state: MemberState = { phase: 'forming', initial, others: [] };
    await rm(this.#layout.data, { recursive: true, force: true }); // of a member that left
    await writeState(this.#layout.stateFile, state);
    return this.#serve(state);
  }

  async #serve(state: MemberState): Promise<EtcdMember> {
    const process = await this.#launch(state);
    const cluster = await this.#open(() => [this.#layout.clientUrl]);
    try {
      await this.#untilReady(process, cluster, state);
      return await this.#running(process, state);
    } catch (error) {
      await process.stop();
      throw error;
    } finally {
      cluster.close();
    }
  }

  async #join(endpoints: readonly string[]): Promise<EtcdMember> {
    const cluster = await this.#open(() => endpoints);
    try {
      const joiner = this.#joiner(cluster, endpoints);
      const { members } = await inspectCluster(joiner);
      await removeReplaced(joiner, members);
      await checkPorts(this.#options);
      const placeholder = { state: 'existing', members: '', token: '' } as const;
      await writeState(this.#layout.stateFile, { phase: 'joining', initial: placeholder, others: endpoints });
      await rm(this.#layout.data, { recursive: true, force: true });
      return await this.#asLearner(joiner);
    } finally {
      cluster.close();
    }
  }

  async #asLearner(joiner: Joiner): Promise<EtcdMember> {
    let process: EtcdProcess | undefined;
    try {
      const { id, initial } = await addLearner(joiner);
      const state: MemberState = { phase: 'joining', initial, others: joiner.endpoints };
      process = await this.#launch(state);
      const early = process.firstEnd.then((why) => Promise.reject(new EtcdMemberError(`etcd does not start: ${why}`)));
      await Promise.race([promoteWhenInSync(joiner, id), early]);
      const cluster = await this.#open(() => [this.#layout.clientUrl]);
      await this.#untilReady(process, cluster, state).finally(() => cluster.close());
      return await this.#running(process, state);
    } catch (error) {
      await process?.stop();
      await this.#undoJoining(joiner, error as Error);
      throw error;
    }
  }

  /** Removes the learner from the cluster, and its data. */
  async #undoJoining({ clock, cluster, peerUrl }: Joiner, cause: Error): Promise<void> {
    const { signal } = new AbortController(); // also of a start that was ended
    try {
      const { members } = await cluster.members();
      for (const member of members)
        if (member.peerUrls.includes(peerUrl)) await removeMember({ clock, cluster, signal }, member);
    } catch (error) {
      // The state stays: the next start removes the learner.
      throw new EtcdMemberError(
        `${cause.message}. The cluster still lists this member (${peerUrl}), because it could not be removed (${(error as Error).message}): start this machine again to remove it`,
        { cause },
      );
    }
    await rm(this.#layout.data, { recursive: true, force: true });
    await removeState(this.#layout.stateFile);
  }

  /** A start that was killed while it joined: a member that was promoted stays, a learner is removed. */
  async #resolveJoining(state: MemberState): Promise<MemberState | undefined> {
    const cluster = await this.#open(() => state.others);
    try {
      const joiner = this.#joiner(cluster, state.others);
      const { members } = await inspectCluster(joiner);
      const own = members.find(({ peerUrls }) => peerUrls.includes(this.#layout.peerUrl));
      if (own && !own.isLearner && own.name === this.#options.name) return { ...state, phase: 'member' };
      await this.#undoJoining(joiner, new EtcdMemberError('the former start of this member was cut short'));
      return undefined;
    } finally {
      cluster.close();
    }
  }

  #launch(state: MemberState): Promise<EtcdProcess> {
    const { log, runFile } = this.#layout;
    const flags = etcdArguments(this.#options, this.#layout, state.initial);
    return EtcdProcess.start(this.#environment, { program: this.#program.path, arguments: flags, log, runFile });
  }

  async #running(process: EtcdProcess, state: MemberState): Promise<EtcdMember> {
    const { phase: _, ...rest } = state;
    await writeState(this.#layout.stateFile, { phase: 'member', ...rest });
    return RunningMember.start({
      options: this.#options,
      environment: this.#environment,
      process,
      tls: this.#tls,
      state,
    });
  }

  /** Resolves when the member answers with the consent of a quorum. */
  async #untilReady(process: EtcdProcess, cluster: EtcdCluster, state: MemberState): Promise<void> {
    const { others } = state;
    const { clock, logger } = this.#environment;
    let end: string | undefined;
    process.firstEnd.then((why) => {
      end = why;
    });
    const beginMs = clock.monotonic();
    let reportMs = beginMs + firstReportMs;
    for (;;) {
      const failure = await cluster.confirmQuorum(this.#layout.clientUrl).then(
        () => undefined,
        (error: Error) => error.message,
      );
      if (failure === undefined) return;
      if (end !== undefined) throw new EtcdMemberError(`etcd does not start: ${end}`);
      const nowMs = clock.monotonic();
      const peers = others.length > 0 ? `; the other members are ${others.join(', ')}` : '';
      if (nowMs - beginMs > quorumMs)
        throw new EtcdMemberError(`etcd has no quorum (${failure})${peers}: start enough of their machines`);
      if (nowMs > reportMs) {
        const replaced = await replacedBy(cluster, state);
        if (replaced) throw replaced;
        logger.warn('etcd waits for other members', { failure, others });
        reportMs = nowMs + reportEveryMs;
      }
      await clock.sleep(pollMs, this.#signal);
    }
  }

  #joiner(cluster: EtcdCluster, endpoints: readonly string[]): Joiner {
    const { name } = this.#options;
    const { clock } = this.#environment;
    const { version } = this.#program;
    return { clock, cluster, endpoints, name, peerUrl: this.#layout.peerUrl, version, signal: this.#signal };
  }

  #open(endpoints: () => readonly string[]): Promise<EtcdCluster> {
    return openEtcdCluster({ clock: this.#environment.clock, endpoints, tls: this.#tls });
  }
}
