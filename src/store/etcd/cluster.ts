// The members of an etcd cluster and their maintenance, over gRPC.

import * as grpc from '@grpc/grpc-js';
import type { Clock } from '../../machinery/time/clock.ts';
import {
  type EtcdAlarm,
  type EtcdCluster,
  EtcdError,
  type EtcdMemberInfo,
  type EtcdStatus,
} from './cluster-interface.ts';
import {
  connect,
  type Endpoint,
  type Int64,
  type MemberMessage,
  type Method,
  methods,
  numberOf,
  type StatusResponse,
  unary,
} from './proto.ts';

const { UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED } = grpc.status;
const callTimeoutMs = 5_000;
const statusTimeoutMs = 2_000;
/** Some 10 s a gigabyte on a slow disk. */
const defragmentTimeoutMs = 300_000;
const alarmNames = ['NONE', 'NOSPACE', 'CORRUPT'] as const;

interface EtcdClusterOptions {
  readonly clock: Clock;
  /** Asked for each call: members come and go. */
  readonly endpoints: () => readonly string[];
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

export function openEtcdCluster({ clock, endpoints, tls }: EtcdClusterOptions): EtcdCluster {
  /** By URL and certificate: a renewal changes the fields of `tls`. */
  const connections = new Map<string, Endpoint>();
  const connectionTo = (url: string): Endpoint => {
    const id = `${url} ${tls.cert ?? ''}`;
    const connection = connections.get(id) ?? connect(url, tls);
    connections.set(id, connection);
    return connection;
  };
  const callOne = <Response>(url: string, method: Method<Response>, request: object, timeoutMs: number) =>
    unary(connectionTo(url), method, request, { deadlineMs: clock.now() + timeoutMs }).catch(
      (error: grpc.ServiceError) => {
        throw etcdError(error, [url]);
      },
    );
  /** etcd refuses to make a change of members twice, so a lost answer shows as an error of the next endpoint. */
  const callAny = async <Response>(method: Method<Response>, request: object): Promise<Response> => {
    let failure: EtcdError | undefined;
    for (const url of endpoints())
      try {
        return await callOne(url, method, request, callTimeoutMs);
      } catch (error) {
        failure = error as EtcdError;
        if (!failure.unreachable) throw failure;
      }
    throw new EtcdError(failure?.message ?? 'no etcd endpoint is given', true, { cause: failure });
  };
  return {
    async members() {
      const { header, members } = await callAny(methods.memberList, {});
      return { clusterId: idOf(header.clusterId), members: members.map(memberOf) };
    },
    async addLearner(peerUrl) {
      const { member, members } = await callAny(methods.memberAdd, { peerURLs: [peerUrl], isLearner: true });
      return { id: idOf(member.ID), members: members.map(memberOf) };
    },
    promote: async (id) => void (await callAny(methods.memberPromote, { ID: id })),
    remove: async (id) => void (await callAny(methods.memberRemove, { ID: id })),
    updatePeerUrl: async (id, peerUrl) => void (await callAny(methods.memberUpdate, { ID: id, peerURLs: [peerUrl] })),
    async confirmQuorum(url) {
      const request = { key: Buffer.from('coracle/health'), limit: 1 };
      await (url ? callOne(url, methods.range, request, statusTimeoutMs) : callAny(methods.range, request));
    },
    status: async (url) => statusOf(await callOne(url, methods.status, {}, statusTimeoutMs)),
    defragment: async (url) => void (await callOne(url, methods.defragment, {}, defragmentTimeoutMs)),
    moveLeader: async (url, target) =>
      void (await callOne(url, methods.moveLeader, { targetID: target }, callTimeoutMs)),
    async alarms() {
      const { alarms } = await callAny(methods.alarm, { action: 'GET' });
      return alarms.map(({ memberID, alarm }): EtcdAlarm => {
        const name = alarmNames[alarm];
        return { memberId: idOf(memberID), alarm: name === 'NOSPACE' ? name : 'CORRUPT' };
      });
    },
    disarm: async ({ memberId, alarm }) =>
      void (await callAny(methods.alarm, {
        action: 'DEACTIVATE',
        memberID: memberId,
        alarm: alarmNames.indexOf(alarm),
      })),
    close() {
      for (const { client } of connections.values()) client.close();
    },
  };
}

const idOf = (id: Int64): string => String(id);

const memberOf = ({ ID, name, peerURLs, clientURLs, isLearner }: MemberMessage): EtcdMemberInfo => ({
  id: idOf(ID),
  name,
  peerUrls: peerURLs,
  clientUrls: clientURLs,
  isLearner,
});

const statusOf = (answer: StatusResponse): EtcdStatus => ({
  clusterId: idOf(answer.header.clusterId),
  memberId: idOf(answer.header.memberId),
  version: answer.version,
  leader: idOf(answer.leader),
  term: numberOf(answer.raftTerm),
  index: numberOf(answer.raftIndex),
  sizeBytes: numberOf(answer.dbSize),
  inUseBytes: numberOf(answer.dbSizeInUse),
  isLearner: answer.isLearner,
});

function etcdError(error: grpc.ServiceError, urls: readonly string[]): EtcdError {
  const { code, details } = error;
  const isOfMember = details?.startsWith('etcdserver:');
  const unreachable = !isOfMember && [UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED].includes(code);
  const message = unreachable ? `${urls.join(', ')}: ${details || error.message}` : details || error.message;
  return new EtcdError(message, unreachable, { cause: error });
}
