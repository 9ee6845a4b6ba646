// The flags of kube-apiserver for its port, its certificates, its store, and the servers that it calls.

import { formatCidr, parseCidrs, parseIp } from '../../machinery/ip.ts';
import { SettingError } from '../settings/settings.ts';
import { bool, duration, type Flag, ignored, integer, list, only, refused, text, texts } from './flag.ts';

const address = (help: string, usual: string): Flag<string> => ({
  ...text(help, usual),
  type: 'ip',
  read: (values) => {
    const value = values.at(-1) ?? '';
    if (value === '' || parseIp(value)) return value;
    throw new SettingError('give an IP address');
  },
});

interface NamedCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** Left out: the names in the certificate. */
  readonly names?: readonly string[];
}

/** certificate,key or certificate,key:name,name. Throws SettingError. */
export function parseNamedCertificate(value: string): NamedCertificate {
  const mark = value.indexOf(':');
  const files = (mark < 0 ? value : value.slice(0, mark)).split(',').map((file) => file.trim());
  if (files.length !== 2) throw new SettingError('expected comma separated certificate and key file paths');
  const [certFile, keyFile] = files;
  if (mark < 0) return { certFile, keyFile };
  const names = value
    .slice(mark + 1)
    .split(',')
    .map((name) => name.trim());
  if (names.every((name) => name === '')) throw new SettingError('empty names list is not allowed');
  const address = names.find((name) => parseIp(name));
  if (address) throw new SettingError(`${address} is an address: clients send the names of hosts only`);
  return { certFile, keyFile, names };
}

const namedCertificates: Flag<readonly string[]> = {
  ...texts('certificate,key:names of a certificate for clients that request one of the names; may be repeated'),
  type: 'namedCertKey',
  read: (values) => {
    for (const value of values) parseNamedCertificate(value);
    return values;
  },
};

export const servingFlags = {
  'advertise-address': address('address at which members of the cluster reach this server', ''),
  'bind-address': address('address to listen on', '0.0.0.0'),
  'cert-dir': text(
    'directory of apiserver.crt and apiserver.key; made here when they are missing',
    '/var/run/kubernetes',
  ),
  'cors-allowed-origins': refused(list('origins of browsers'), 'no CORS headers are sent; put a proxy before it'),
  'disable-http2-serving': only(bool('serve HTTP/1.1 only'), [false], 'both protocols are served; leave it out'),
  'external-hostname': text('host name of this server in documents for clients'),
  'http2-max-streams-per-connection': ignored(integer('streams of one HTTP/2 connection', 0)),
  'permit-address-sharing': only(bool('SO_REUSEADDR'), [false], 'leave it out'),
  'permit-port-sharing': only(bool('SO_REUSEPORT'), [false], 'leave it out'),
  'secure-port': integer('port to listen on, with TLS', 6443, 1, 65_535),
  'strict-transport-security-directives': refused(list('HSTS'), 'no such header is sent; leave it out'),
  'tls-cert-file': text('certificate of this server, with those above it'),
  'tls-cipher-suites': list('cipher suites of TLS 1.2, by the names of Go'),
  'tls-curve-preferences': refused(list('curves'), "Node's preferences are used; leave it out"),
  'tls-min-version': {
    ...text('lowest version of TLS: VersionTLS12 or VersionTLS13', 'VersionTLS12'),
    read: ([...values]: readonly string[]) => {
      const value = values.at(-1) ?? '';
      if (['', 'VersionTLS12', 'VersionTLS13'].includes(value)) return value || 'VersionTLS12';
      throw new SettingError('give VersionTLS12 or VersionTLS13');
    },
  },
  'tls-private-key-file': text('key of --tls-cert-file'),
  'tls-sni-cert-key': namedCertificates,
};

export const storeFlags = {
  'delete-collection-workers': ignored(integer('deletions of a collection at a time', 1)),
  'enable-garbage-collector': only(bool('serve the garbage collector', true), [true], 'leave it out'),
  'encryption-provider-config': text('EncryptionConfiguration: which stored data is encrypted, and how'),
  'encryption-provider-config-automatic-reload': bool('read --encryption-provider-config again when it changes'),
  'etcd-cafile': text("CA of the servers' certificates"),
  'etcd-certfile': text('client certificate for etcd'),
  'etcd-compaction-interval': ignored(duration('time between compactions', '5m0s')),
  'etcd-count-metric-poll-period': ignored(duration('time between counts of objects', '1m0s')),
  'etcd-db-metric-poll-interval': ignored(duration('time between size metrics', '30s')),
  'etcd-healthcheck-timeout': ignored(duration('time limit of the health check', '2s')),
  'etcd-keyfile': text('key of --etcd-certfile'),
  'etcd-prefix': text('prefix of all keys', '/registry'),
  'etcd-readycheck-timeout': ignored(duration('time limit of the readiness check', '2s')),
  'etcd-servers': list('URLs of etcd, separated by commas'),
  'etcd-servers-overrides': refused(list('stores of single resources'), 'all resources share one store'),
  'event-ttl': duration('how long events are kept', '1h0m0s'),
  'lease-reuse-duration-seconds': ignored(integer('seconds in which leases are shared', 60)),
  'storage-backend': only(text('kind of store', 'etcd3'), ['etcd3', ''], 'only etcd3 is known'),
  'storage-initialization-timeout': duration('how long to wait for the store', '1m0s'),
  'storage-media-type': only(
    text('form of stored objects', 'application/json'),
    ['application/json', 'application/vnd.kubernetes.protobuf', ''],
    'objects are stored as JSON',
  ),
  'watch-cache': ignored(bool('keep objects in memory', true)),
  'watch-cache-sizes': ignored(list('sizes of watch caches')),
  'default-watch-cache-size': ignored(integer('size of a watch cache', 100)),
};

/** Kubernetes' ranges of a service network. */
const serviceRange: Flag<string> = {
  ...text('addresses of services, such as 10.96.0.0/12, or one range of each family, the primary first', '10.0.0.0/24'),
  read: (values) => {
    const value = values.at(-1) ?? '';
    if (value === '') return '10.0.0.0/24';
    const ranges = parseCidrs(value);
    if (!ranges) throw new SettingError('give a range, such as 10.96.0.0/12, or one of each family');
    if (ranges.length > 2 || (ranges.length === 2 && ranges[0].family === ranges[1].family))
      throw new SettingError('give one range, or one of each family');
    for (const { family, prefix } of ranges) {
      const largest = family === 4 ? 12 : 64;
      if (prefix < largest) throw new SettingError(`the range is too large: give one of /${largest} or smaller`);
      if (prefix > (family === 4 ? 29 : 125)) throw new SettingError('the range must have at least 8 addresses');
    }
    return ranges.map(formatCidr).join();
  },
};

const portRange: Flag<{ readonly from: number; readonly to: number }> = {
  type: 'portRange',
  help: 'ports of services of type NodePort (default 30000-32767)',
  default: { from: 30_000, to: 32_767 },
  read: (values) => {
    const given = values.at(-1) ?? '';
    const single = /^\d+$/.exec(given);
    const [, first, second] = /^(\d+)-(\d+)$/.exec(given) ?? [];
    const sized = /^(\d+)\+(\d+)$/.exec(given);
    const from = Number(single?.[0] ?? first ?? sized?.[1]);
    const to = sized ? Number(sized[1]) + Number(sized[2]) : Number(single?.[0] ?? second);
    if (from >= 0 && to <= 65_535 && from <= to) return { from, to };
    throw new SettingError('give a range of ports, such as 30000-32767');
  },
};

export const networkFlags = {
  'aggregator-reject-forwarding-redirect': bool('refuse redirects by extension API servers', true),
  'allow-privileged': bool('let pods have privileged containers'),
  'apiserver-count': ignored(integer('number of API servers', 1, 1)),
  'egress-selector-config-file': refused(text('EgressSelectorConfiguration'), 'the server calls others directly'),
  'enable-aggregator-routing': ignored(bool('reach extension API servers by the addresses of their endpoints')),
  'endpoint-reconciler-type': only(
    text('who keeps the endpoints of the service kubernetes', 'lease'),
    ['lease', 'master-count', 'none'],
    'give lease, master-count or none',
  ),
  'kubelet-certificate-authority': text("CA of kubelets' certificates"),
  'kubelet-client-certificate': text('client certificate for kubelets'),
  'kubelet-client-key': text('key of --kubelet-client-certificate'),
  'kubelet-port': ignored(integer('port of kubelets that do not name theirs', 10_250)),
  'kubelet-preferred-address-types': list('types of node addresses in the order in which they are tried', [
    'Hostname',
    'InternalDNS',
    'InternalIP',
    'ExternalDNS',
    'ExternalIP',
  ]),
  'kubelet-read-only-port': ignored(integer('port without authentication', 10_255)),
  'kubelet-timeout': ignored(duration('time limit of calls to kubelets', '5s')),
  'kubernetes-service-node-port': only(
    integer('node port of the service kubernetes', 0),
    [0],
    'the service kubernetes has no node port; make a service of your own',
  ),
  'max-connection-bytes-per-sec': only(
    integer('bytes a second of a connection', 0),
    [0],
    'connections are not throttled',
  ),
  'proxy-client-cert-file': text('client certificate for extension API servers'),
  'proxy-client-key-file': text('key of --proxy-client-cert-file'),
  'service-cluster-ip-range': serviceRange,
  'service-node-port-range': portRange,
};
