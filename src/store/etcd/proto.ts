// The part of etcd's v3 API that the store uses, and calls over gRPC.
// https://etcd.io/docs/v3.5/learning/api/

import { isIP } from 'node:net';
import { checkServerIdentity as matchHost, type PeerCertificate } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { must } from '../../machinery/must.ts';
import type { Entry } from '../interface.ts';

const proto = `
syntax = "proto3";
message KeyValue { bytes key = 1; int64 create_revision = 2; int64 mod_revision = 3; int64 version = 4; bytes value = 5; int64 lease = 6; }
message Event { enum EventType { PUT = 0; DELETE = 1; } EventType type = 1; KeyValue kv = 2; KeyValue prev_kv = 3; }
message ResponseHeader { uint64 cluster_id = 1; uint64 member_id = 2; int64 revision = 3; uint64 raft_term = 4; }
message RangeRequest { bytes key = 1; bytes range_end = 2; int64 limit = 3; int64 revision = 4; bool count_only = 9; }
message RangeResponse { ResponseHeader header = 1; repeated KeyValue kvs = 2; bool more = 3; int64 count = 4; }
message PutRequest { bytes key = 1; bytes value = 2; int64 lease = 3; }
message PutResponse { ResponseHeader header = 1; }
message DeleteRangeRequest { bytes key = 1; bytes range_end = 2; }
message DeleteRangeResponse { ResponseHeader header = 1; int64 deleted = 2; }
message RequestOp { oneof request { RangeRequest request_range = 1; PutRequest request_put = 2; DeleteRangeRequest request_delete_range = 3; } }
message ResponseOp { oneof response { RangeResponse response_range = 1; PutResponse response_put = 2; DeleteRangeResponse response_delete_range = 3; } }
message Compare { enum Result { EQUAL = 0; } enum Target { VERSION = 0; CREATE = 1; MOD = 2; } Result result = 1; Target target = 2; bytes key = 3; oneof target_union { int64 mod_revision = 6; } }
message TxnRequest { repeated Compare compare = 1; repeated RequestOp success = 2; repeated RequestOp failure = 3; }
message TxnResponse { ResponseHeader header = 1; bool succeeded = 2; repeated ResponseOp responses = 3; }
message CompactionRequest { int64 revision = 1; bool physical = 2; }
message CompactionResponse { ResponseHeader header = 1; }
message WatchRequest { oneof request_union { WatchCreateRequest create_request = 1; WatchProgressRequest progress_request = 3; } }
message WatchCreateRequest { bytes key = 1; bytes range_end = 2; int64 start_revision = 3; bool progress_notify = 4; bool prev_kv = 6; }
message WatchProgressRequest { }
message WatchResponse { ResponseHeader header = 1; int64 watch_id = 2; bool created = 3; bool canceled = 4; int64 compact_revision = 5; string cancel_reason = 6; bool fragment = 7; repeated Event events = 11; }
message LeaseGrantRequest { int64 TTL = 1; int64 ID = 2; }
message LeaseGrantResponse { ResponseHeader header = 1; int64 ID = 2; int64 TTL = 3; string error = 4; }
message LeaseRevokeRequest { int64 ID = 1; }
message LeaseRevokeResponse { ResponseHeader header = 1; }
message LeaseKeepAliveRequest { int64 ID = 1; }
message LeaseKeepAliveResponse { ResponseHeader header = 1; int64 ID = 2; int64 TTL = 3; }
message LeaseTimeToLiveRequest { int64 ID = 1; bool keys = 2; }
message LeaseTimeToLiveResponse { ResponseHeader header = 1; int64 ID = 2; int64 TTL = 3; int64 grantedTTL = 4; }
message StatusRequest { }
message StatusResponse { ResponseHeader header = 1; string version = 2; int64 dbSize = 3; uint64 leader = 4; uint64 raftIndex = 5; uint64 raftTerm = 6; uint64 raftAppliedIndex = 7; repeated string errors = 8; int64 dbSizeInUse = 9; bool isLearner = 10; }
message DefragmentRequest { }
message DefragmentResponse { ResponseHeader header = 1; }
message AlarmRequest { enum AlarmAction { GET = 0; ACTIVATE = 1; DEACTIVATE = 2; } AlarmAction action = 1; uint64 memberID = 2; uint32 alarm = 3; }
message AlarmMember { uint64 memberID = 1; uint32 alarm = 2; }
message AlarmResponse { ResponseHeader header = 1; repeated AlarmMember alarms = 2; }
message MoveLeaderRequest { uint64 targetID = 1; }
message MoveLeaderResponse { ResponseHeader header = 1; }
message Member { uint64 ID = 1; string name = 2; repeated string peerURLs = 3; repeated string clientURLs = 4; bool isLearner = 5; }
message MemberListRequest { bool linearizable = 1; }
message MemberListResponse { ResponseHeader header = 1; repeated Member members = 2; }
message MemberAddRequest { repeated string peerURLs = 1; bool isLearner = 2; }
message MemberAddResponse { ResponseHeader header = 1; Member member = 2; repeated Member members = 3; }
message MemberRemoveRequest { uint64 ID = 1; }
message MemberUpdateRequest { uint64 ID = 1; repeated string peerURLs = 2; }
message MemberPromoteRequest { uint64 ID = 1; }
message MembersResponse { ResponseHeader header = 1; repeated Member members = 2; }
`;

const types = protobuf.parse(proto).root;

/** A number, or a Long where that is loaded. */
export type Int64 = number | { toNumber(): number };

interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array | readonly never[];
  readonly createRevision: Int64;
  readonly modRevision: Int64;
  readonly lease: Int64;
}

interface Header {
  readonly header: { readonly revision: Int64; readonly clusterId: Int64; readonly memberId: Int64 };
}

export interface StatusResponse extends Header {
  readonly version: string;
  readonly dbSize: Int64;
  readonly dbSizeInUse: Int64;
  readonly leader: Int64;
  readonly raftTerm: Int64;
  readonly raftIndex: Int64;
  readonly isLearner: boolean;
}

export interface MemberMessage {
  readonly ID: Int64;
  readonly name: string;
  readonly peerURLs: readonly string[];
  readonly clientURLs: readonly string[];
  readonly isLearner: boolean;
}

interface MembersResponse extends Header {
  readonly members: readonly MemberMessage[];
}

interface RangeResponse extends Header {
  readonly kvs: readonly KeyValue[];
  readonly count: Int64;
}

interface TxnResponse extends Header {
  readonly succeeded: boolean;
  readonly responses: readonly { readonly responseRange: RangeResponse }[];
}

export interface WatchEvent {
  readonly type: number;
  readonly kv: KeyValue;
  readonly prevKv?: KeyValue | null;
}

export interface WatchResponse extends Header {
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: Int64;
  readonly cancelReason: string;
  readonly events: readonly WatchEvent[];
}

/** A method with its response, which protobufjs decodes by the schema above. */
export interface Method<Response> {
  readonly path: string;
  readonly serialize: (message: object) => Buffer;
  readonly deserialize: (bytes: Buffer) => Response;
}

function method<Response = Header>(service: string, name: string, request: string, response: string): Method<Response> {
  const requestType = types.lookupType(request);
  const responseType = types.lookupType(response);
  return {
    path: `/etcdserverpb.${service}/${name}`,
    serialize: (message) => Buffer.from(requestType.encode(requestType.fromObject(message)).finish()),
    deserialize: (bytes) => responseType.decode(bytes) as Response,
  };
}

export const methods = {
  range: method<RangeResponse>('KV', 'Range', 'RangeRequest', 'RangeResponse'),
  txn: method<TxnResponse>('KV', 'Txn', 'TxnRequest', 'TxnResponse'),
  compact: method('KV', 'Compact', 'CompactionRequest', 'CompactionResponse'),
  watch: method<WatchResponse>('Watch', 'Watch', 'WatchRequest', 'WatchResponse'),
  leaseGrant: method('Lease', 'LeaseGrant', 'LeaseGrantRequest', 'LeaseGrantResponse'),
  leaseRevoke: method('Lease', 'LeaseRevoke', 'LeaseRevokeRequest', 'LeaseRevokeResponse'),
  leaseKeepAlive: method<{ readonly TTL: Int64 }>(
    'Lease',
    'LeaseKeepAlive',
    'LeaseKeepAliveRequest',
    'LeaseKeepAliveResponse',
  ),
  leaseTimeToLive: method<{ readonly TTL: Int64; readonly grantedTTL: Int64 }>(
    'Lease',
    'LeaseTimeToLive',
    'LeaseTimeToLiveRequest',
    'LeaseTimeToLiveResponse',
  ),
  status: method<StatusResponse>('Maintenance', 'Status', 'StatusRequest', 'StatusResponse'),
  defragment: method('Maintenance', 'Defragment', 'DefragmentRequest', 'DefragmentResponse'),
  alarm: method<Header & { readonly alarms: readonly { readonly memberID: Int64; readonly alarm: number }[] }>(
    'Maintenance',
    'Alarm',
    'AlarmRequest',
    'AlarmResponse',
  ),
  moveLeader: method('Maintenance', 'MoveLeader', 'MoveLeaderRequest', 'MoveLeaderResponse'),
  memberList: method<MembersResponse>('Cluster', 'MemberList', 'MemberListRequest', 'MemberListResponse'),
  memberAdd: method<MembersResponse & { readonly member: MemberMessage }>(
    'Cluster',
    'MemberAdd',
    'MemberAddRequest',
    'MemberAddResponse',
  ),
  memberRemove: method<MembersResponse>('Cluster', 'MemberRemove', 'MemberRemoveRequest', 'MembersResponse'),
  memberUpdate: method<MembersResponse>('Cluster', 'MemberUpdate', 'MemberUpdateRequest', 'MembersResponse'),
  memberPromote: method<MembersResponse>('Cluster', 'MemberPromote', 'MemberPromoteRequest', 'MembersResponse'),
};

/** Revisions stay far below 2^53. */
export const numberOf = (value: Int64 | null | undefined): number =>
  typeof value === 'number' ? value : (value?.toNumber() ?? 0);

export interface Endpoint {
  readonly address: string;
  readonly client: grpc.Client;
}

/** Lists of 10,000 objects are far above gRPC's 4 MB; a lost network must not go unnoticed for minutes. */
const channelOptions: grpc.ClientOptions = {
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
};

export function connect(url: string, tls?: { ca?: string; cert?: string; key?: string }): Endpoint {
  const { protocol, host, hostname } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:') throw new Error(`etcd endpoint "${url}" is not an http(s) URL`);
  const pem = (text?: string) => (text ? Buffer.from(text) : undefined);
  if (protocol === 'http:')
    return { address: url, client: new grpc.Client(host, grpc.credentials.createInsecure(), channelOptions) };
  const address = hostname.replace(/^\[|\]$/g, '');
  const isAddress = isIP(address) !== 0;
  const identity = isAddress && { checkServerIdentity: (_: string, cert: PeerCertificate) => matchHost(address, cert) };
  const credentials = grpc.credentials.createSsl(pem(tls?.ca), pem(tls?.key), pem(tls?.cert), identity || {});
  // A name for TLS may not be an address (RFC 6066, section 3).
  const options = { ...channelOptions, ...(isAddress && { 'grpc.ssl_target_name_override': 'etcd' }) };
  return { address: url, client: new grpc.Client(host, credentials, options) };
}

/** Streams end when their member loses the leader, so that clients leave a partitioned member. */
function leaderRequired(): grpc.Metadata {
  const metadata = new grpc.Metadata();
  metadata.set('hasleader', 'true');
  return metadata;
}

interface CallOptions {
  readonly deadlineMs: number;
  /** A member that has no leader refuses the call instead of waiting for one. */
  readonly needsLeader?: boolean;
  readonly signal?: AbortSignal;
}

export function unary<Response>(
  { client }: Endpoint,
  { path, serialize, deserialize }: Method<Response>,
  request: object,
  { deadlineMs, needsLeader, signal }: CallOptions,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const metadata = needsLeader ? leaderRequired() : new grpc.Metadata();
    const abort = () => call.cancel();
    const call = client.makeUnaryRequest(
      path,
      serialize,
      deserialize,
      request,
      metadata,
      { deadline: deadlineMs },
      (error, answer) => {
        signal?.removeEventListener('abort', abort);
        if (error) reject(error);
        else resolve(must(answer, 'response of etcd'));
      },
    );
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}

export const bidiStream = <Response>({ client }: Endpoint, call: Method<Response>) =>
  client.makeBidiStreamRequest<object, Response>(call.path, call.serialize, call.deserialize, leaderRequired(), {});

export function entryOf(kv: KeyValue): Entry {
  return {
    key: Buffer.from(kv.key).toString('utf8'),
    // protobufjs reads an empty value as an empty array.
    value: kv.value instanceof Uint8Array ? kv.value : new Uint8Array(0),
    createRevision: numberOf(kv.createRevision),
    modRevision: numberOf(kv.modRevision),
    lease: numberOf(kv.lease),
  };
}
