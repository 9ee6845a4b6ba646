// The room's front door. Cluster DNS resolves names of services and pods, and forwards others.
// https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/

import * as packet from 'dns-packet';
import type { EndpointSlice, Service } from '../api/api.ts';
import { type ComponentContext, createInformer, type Informer, type RunningComponent } from '../client/client.ts';
import { must } from '../machinery/must.ts';
import { listenOn } from './listen.ts';
import { type ClusterView, type DnsRecord, lookup, reverse, serviceOf } from './records.ts';
import { codes, headerBytes, headerFault, headerOnly, response } from './responses.ts';
import { TcpConnections } from './tcp.ts';
import { TooManyQuestions, Upstream } from './upstream.ts';

interface ClusterDnsConfig {
  /** Addresses that the server listens on, UDP and TCP. */
  readonly addresses: readonly string[];
  /** 0 takes a free one. */
  readonly port: number;
  readonly clusterDomain: string;
  /** File with the resolvers for all other names. */
  readonly resolvConf: string;
}

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
  const upstream = new Upstream(config.resolvConf, config.addresses, context.clock);
  const answerTo = async (query: Buffer, overTcp: boolean) => {
    requests.add(1, { proto: overTcp ? 'tcp' : 'udp' });
    return isSynced ? answer(query, { overTcp, domain: config.clusterDomain, view, upstream }) : undefined;
  };
  const connections = new TcpConnections((query) => answerTo(query, true));
  for (const { udp, tcp } of sockets) {
    udp.on('message', (query, sender) => {
      if (sender.port === 0) return; // no program can receive there
      answerTo(query, false)
        .then((reply) => reply && udp.send(reply, sender.port, sender.address, () => {})) // the sender may be gone
        .catch(() => {}); // the server has stopped
    });
    udp.on('error', (error) => context.logger.error('DNS over UDP failed', { error: String(error) }));
    tcp.on('connection', (socket) => connections.serve(socket));
  }
  return {
    port,
    synced,
    async stop() {
      for (const { udp } of sockets) udp.close();
      const closed = sockets.map(({ tcp }) => new Promise<void>((resolve) => tcp.close(() => resolve())));
      connections.close();
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

interface Asked {
  readonly overTcp: boolean;
  readonly domain: string;
  readonly view: ClusterView;
  readonly upstream: Upstream;
}

const responseBit = 0x80;

/** The response; undefined when the bytes are no query. Any program may send them: it never rejects. */
async function answer(bytes: Buffer, asked: Asked): Promise<Buffer | undefined> {
  if (bytes.length < headerBytes || bytes[2] & responseBit) return undefined;
  const fault = headerFault(bytes);
  if (fault !== undefined) return headerOnly(bytes, fault);
  let query: packet.DecodedPacket;
  try {
    query = packet.decode(bytes);
  } catch {
    return undefined;
  }
  try {
    return await resolve(query, bytes, asked);
  } catch (error) {
    return headerOnly(bytes, error instanceof TooManyQuestions ? codes.refused : codes.serverFailure);
  }
}

async function resolve(query: packet.DecodedPacket, bytes: Buffer, asked: Asked): Promise<Buffer> {
  const { overTcp, domain, view, upstream } = asked;
  const [question] = must(query.questions, 'questions');
  const name = question.name.toLowerCase().replace(/\.$/, '');
  if (name === domain || name.endsWith(`.${domain}`)) return inZone(query, name, asked);
  const pointer = question.type === 'PTR' ? reverse(name, domain, view) : undefined;
  return pointer ? response(query, overTcp, { answers: [pointer] }) : upstream.ask(bytes, overTcp);
}

async function inZone(query: packet.DecodedPacket, name: string, asked: Asked): Promise<Buffer> {
  const { overTcp, domain: zone, view } = asked;
  const type: string = must(query.questions, 'questions')[0].type;
  const { exists, answers, additional } = lookup(name, zone, view);
  if (!exists) return response(query, overTcp, { code: codes.nameError, zone });
  const wanted = answers.filter((record) => type === 'ANY' || record.type === type || record.type === 'CNAME');
  if (wanted.length === 0) return response(query, overTcp, { zone });
  const alias = type === 'CNAME' ? undefined : wanted.find(isAlias);
  const behind = alias ? await follow(query, alias.data, asked) : [];
  return response(query, overTcp, {
    answers: [...wanted, ...behind],
    additional: type === 'SRV' ? additional : [],
  });
}

const isAlias = (record: DnsRecord): record is Extract<DnsRecord, { data: string }> => record.type === 'CNAME';

/** Resolves the target of an ExternalName: stub resolvers in containers do not. */
async function follow(query: packet.DecodedPacket, alias: string, asked: Asked): Promise<readonly DnsRecord[]> {
  const { type } = must(query.questions, 'questions')[0];
  const { domain, view, upstream, overTcp } = asked;
  const name = alias.toLowerCase().replace(/\.$/, '');
  if (name.endsWith(`.${domain}`)) return lookup(name, domain, view).answers.filter((record) => record.type === type);
  const question: packet.Packet = {
    type: 'query',
    id: query.id,
    flags: packet.RECURSION_DESIRED,
    questions: [{ type, name }],
  };
  try {
    return (packet.decode(await upstream.ask(packet.encode(question), overTcp)).answers ?? []) as DnsRecord[];
  } catch {
    return []; // only the alias resolved
  }
}
