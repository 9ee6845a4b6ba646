// The room's front door. Cluster DNS resolves names of services and pods, and forwards others.
// https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/

import type net from 'node:net';
import * as packet from 'dns-packet';
import type { EndpointSlice, Service } from '../api/api.ts';
import { type ComponentContext, createInformer, type Informer, type RunningComponent } from '../client/client.ts';
import { must } from '../machinery/must.ts';
import { listenOn } from './listen.ts';
import { type ClusterView, type DnsRecord, lookup, reverse, serviceOf } from './records.ts';
import { ask, resolversOf } from './upstream.ts';

export interface ClusterDnsConfig {
  /** Addresses that the server listens on, UDP and TCP. */
  readonly addresses: readonly string[];
  /** 0 takes a free one. */
  readonly port: number;
  readonly clusterDomain: string;
  /** File with the resolvers for all other names. */
  readonly resolvConf: string;
}

/** TTL of responses in seconds: CoreDNS' default for cluster names. */
const ttlSeconds = 5;
const udpBytes = 512;
const authoritative = packet.AUTHORITATIVE_ANSWER;
const recursive = packet.RECURSION_AVAILABLE;
const nameError = 3;
const serverFailure = 2;
const notImplemented = 4;

export interface RunningClusterDns extends RunningComponent {
  readonly port: number;
  /** Resolves when it answers. */
  readonly synced: Promise<void>;
}

/** Resolves when the server listens. Rejects with the system's error when it cannot. */
export async function startClusterDns(context: ComponentContext, config: ClusterDnsConfig): Promise<RunningClusterDns> {
  const { port, sockets } = await listenOn(config.addresses, config.port);
  const services = createInformer(context, 'services');
  const slices = createInformer(context, 'endpointslices');
  const namespaces = createInformer(context, 'namespaces');
  const view = viewOf(services, slices, (name) => namespaces.get(name) !== undefined);
  let isSynced = false;
  const synced = Promise.all([services.synced(), slices.synced(), namespaces.synced()]).then(() => {
    isSynced = true;
  });
  const requests = context.metrics.counter('coredns_dns_requests_total', 'Counter of DNS requests made per protocol.');
  const answerTo = async (query: Buffer, overTcp: boolean) => {
    requests.add(1, { proto: overTcp ? 'tcp' : 'udp' });
    return isSynced ? answer(query, overTcp, config, view, context) : undefined;
  };
  const connections = new Set<net.Socket>();
  for (const { udp, tcp } of sockets) {
    udp.on(
      'message',
      (query, { address, port }) =>
        void answerTo(query, false).then((reply) => reply && udp.send(reply, port, address)),
    );
    udp.on('error', (error) => context.logger.error('DNS over UDP failed', { error: String(error) }));
    tcp.on('connection', (socket) => {
      connections.add(socket);
      socket.once('close', () => connections.delete(socket));
      serveTcp(socket, (query) => answerTo(query, true));
    });
  }
  return {
    port,
    synced,
    async stop() {
      for (const { udp } of sockets) udp.close();
      const closed = sockets.map(({ tcp }) => new Promise<void>((resolve) => tcp.close(() => resolve())));
      for (const socket of connections) socket.destroy();
      await Promise.all(closed);
      await Promise.all([services.stop(), slices.stop(), namespaces.stop()]);
    },
  };
}

function viewOf(
  services: Informer<Service>,
  slices: Informer<EndpointSlice>,
  hasNamespace: (name: string) => boolean,
): ClusterView {
  services.addIndex('cluster IP', (s) => s.spec.clusterIPs ?? []);
  slices.addIndex('service', (s) => [`${s.metadata.namespace}/${serviceOf(s) ?? ''}`]);
  slices.addIndex('address', (s) => (s.endpoints ?? []).flatMap((e) => e.addresses));
  return {
    hasNamespace,
    service: (namespace, name) => services.get(`${namespace}/${name}`),
    slices: (namespace, name) => slices.by('service', `${namespace}/${name}`),
    byClusterIP: (ip) => services.by('cluster IP', ip)[0],
    byEndpointIP(ip) {
      const slice = slices
        .by('address', ip)
        .find((s) => services.get(`${s.metadata.namespace}/${serviceOf(s)}`)?.spec.clusterIP === 'None');
      return slice && { slice, hostname: slice.endpoints?.find((e) => e.addresses.includes(ip))?.hostname ?? '' };
    },
  };
}

/** The reply, undefined when the bytes are no query. */
async function answer(
  bytes: Buffer,
  overTcp: boolean,
  config: ClusterDnsConfig,
  view: ClusterView,
  context: ComponentContext,
): Promise<Buffer | undefined> {
  let query: packet.DecodedPacket;
  try {
    query = packet.decode(bytes);
  } catch {
    return undefined;
  }
  if (query.type !== 'query') return undefined;
  const [question] = query.questions ?? [];
  const opcode = ((query.flags ?? 0) >> 11) & 0xf;
  if (!question || opcode !== 0) return reply(query, notImplemented, [], [], overTcp);
  const name = question.name.toLowerCase().replace(/\.$/, '');
  const domain = config.clusterDomain;
  const upstream = async (bytes: Buffer) => {
    const resolvers = (await resolversOf(config.resolvConf)).filter((resolver) => !config.addresses.includes(resolver));
    return ask(resolvers, bytes, overTcp, context.clock);
  };
  if (name === domain || name.endsWith(`.${domain}`)) return inZone(query, name, domain, view, overTcp, upstream);
  const pointer = question.type === 'PTR' ? reverse(name, domain, view) : undefined;
  if (pointer) return reply(query, 0, [pointer], [], overTcp);
  try {
    return await upstream(bytes);
  } catch {
    return reply(query, serverFailure, [], [], overTcp);
  }
}

type Upstream = (query: Buffer) => Promise<Buffer>;

async function inZone(
  query: packet.DecodedPacket,
  name: string,
  domain: string,
  view: ClusterView,
  overTcp: boolean,
  upstream: Upstream,
): Promise<Buffer> {
  const type: string = must(query.questions, 'questions')[0].type;
  const { exists, answers, additional } = lookup(name, domain, view);
  if (!exists) return reply(query, nameError, [], [], overTcp, domain);
  const wanted = answers.filter((record) => type === 'ANY' || record.type === type || record.type === 'CNAME');
  if (wanted.length === 0) return reply(query, 0, [], [], overTcp, domain);
  const alias = type === 'CNAME' ? undefined : wanted.find(isAlias);
  const behind = alias ? await follow(query, alias.data, domain, view, upstream) : [];
  return reply(query, 0, [...wanted, ...behind], type === 'SRV' ? additional : [], overTcp);
}

const isAlias = (record: DnsRecord): record is Extract<DnsRecord, { data: string }> => record.type === 'CNAME';

/** Resolves the target of an ExternalName: stub resolvers in containers do not. */
async function follow(
  query: packet.DecodedPacket,
  alias: string,
  domain: string,
  view: ClusterView,
  upstream: Upstream,
): Promise<readonly DnsRecord[]> {
  const { type } = must(query.questions, 'questions')[0];
  const name = alias.toLowerCase().replace(/\.$/, '');
  if (name.endsWith(`.${domain}`)) return lookup(name, domain, view).answers.filter((record) => record.type === type);
  const question: packet.Packet = {
    type: 'query',
    id: query.id,
    flags: packet.RECURSION_DESIRED,
    questions: [{ type, name }],
  };
  try {
    return (packet.decode(await upstream(packet.encode(question))).answers ?? []) as DnsRecord[];
  } catch {
    return []; // only the alias resolved
  }
}

/**
 * `zone`: adds its SOA record to an empty response. Responses too large for UDP are truncated, so that clients use TCP.
 */
function reply(
  query: packet.DecodedPacket,
  code: number,
  answers: readonly DnsRecord[],
  additional: readonly DnsRecord[],
  overTcp: boolean,
  zone?: string,
): Buffer {
  const full = (list: readonly DnsRecord[]) =>
    list.map((record) => ({ ...record, ttl: ttlSeconds, class: 'IN' }) as packet.Answer);
  const soa = {
    mname: `ns.dns.${zone}`,
    rname: `hostmaster.${zone}`,
    serial: 1,
    refresh: 7200,
    retry: 1800,
    expire: 86400,
    minimum: ttlSeconds,
  };
  const edns = query.additionals?.find((record) => record.type === 'OPT') as { udpPayloadSize?: number } | undefined;
  const ourEdns: packet.OptAnswer = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 1232,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  const base: packet.Packet = {
    id: query.id,
    type: 'response',
    flags: authoritative | recursive | ((query.flags ?? 0) & packet.RECURSION_DESIRED) | code,
    questions: query.questions,
    answers: full(answers),
    authorities: zone ? [{ type: 'SOA', name: zone, ttl: ttlSeconds, class: 'IN', data: soa } as packet.Answer] : [],
    additionals: [...full(additional), ...(edns ? [ourEdns] : [])],
  };
  const bytes = packet.encode(base);
  if (overTcp || bytes.length <= Math.max(udpBytes, edns?.udpPayloadSize ?? 0)) return bytes;
  return packet.encode({ ...base, flags: (base.flags ?? 0) | packet.TRUNCATED_RESPONSE, answers: [], additionals: [] });
}

function serveTcp(socket: net.Socket, answerTo: (query: Buffer) => Promise<Buffer | undefined>): void {
  let received: Buffer = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const length = received.readUInt16BE(0);
      const query = received.subarray(2, 2 + length);
      received = received.subarray(2 + length);
      void answerTo(query).then((bytes) => {
        if (!bytes) return void socket.destroy();
        const head = Buffer.alloc(2);
        head.writeUInt16BE(bytes.length);
        socket.write(Buffer.concat([head, bytes]));
      });
    }
  });
}
