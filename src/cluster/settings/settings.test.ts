import { describe, expect, test } from 'vitest';
import { createAccess } from '../../kube-apiserver/kube-apiserver.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { makeSigningKey } from '../certificates/certificates.ts';
import { type ClusterRequest, completeConfig, defaultRanges, overlap, serverConfig } from '../config.ts';
import { defaultAdmissionPlugins, optionalAdmissionPlugins } from './admission-settings.ts';
import { componentNames, type Setting, type Settings, settings } from './settings.ts';

describe('a setting reads its value from text', () => {
  test.each<[keyof Settings, string, unknown]>([
    ['port', '0', 0],
    ['port', '65535', 65_535],
    ['runtime', 'cri', 'cri'],
    ['components', 'kube-apiserver, kubelet', ['kube-apiserver', 'kubelet']],
    ['disable', 'kube-proxy,cluster-dns', ['kube-proxy', 'cluster-dns']],
    ['etcdEndpoints', 'http://a:1,http://b:2', ['http://a:1', 'http://b:2']],
    ['auditLog', '-', '-'],
    ['auditLog', '/var/log/audit', '/var/log/audit'],
    ['encryptionConfig', 'auto', 'auto'],
    ['anonymousAuth', 'false', false],
    ['nodeIP', '192.0.2.10', '192.0.2.10'],
    ['nodeIP', 'FD00::0:1, 192.0.2.10', 'fd00::1,192.0.2.10'],
    ['serviceCidr', '10.0.0.0/12', '10.0.0.0/12'],
    ['serviceCidr', '10.0.0.0/12, fd00:0:1::/112', '10.0.0.0/12,fd00:0:1::/112'],
    ['clusterCidr', 'FD00::/56,10.244.0.0/16', 'fd00::/56,10.244.0.0/16'],
    ['clusterCidr', '10.0.0.0/24', '10.0.0.0/24'],
    ['clusterDomain', 'k8s.example.org', 'k8s.example.org'],
    ['autoscalerSyncPeriod', '1m30s', 90_000],
    ['autoscalerInitialReadinessDelay', '0s', 0],
    ['autoscalerTolerance', '0.05', 0.05],
    ['evictionHard', 'memory.available<5%', { 'memory.available': '5%' }],
    ['evictionHard', 'nodefs.available<1Gi, pid.available<0%', { 'nodefs.available': '1Gi', 'pid.available': '0%' }],
    ['kubeletConfig', '/etc/kubelet.yaml', '/etc/kubelet.yaml'],
    ['systemReserved', 'cpu=500m, memory=1Gi', { cpu: '500m', memory: '1Gi' }],
    ['reservedCpus', '0-1,4', '0-1,4'],
    ['cpuManagerPolicy', 'static', 'static'],
    ['cpuManagerPolicyOptions', 'full-pcpus-only=true', { 'full-pcpus-only': 'true' }],
    ['memoryManagerPolicy', 'Static', 'Static'],
    [
      'reservedMemory',
      '0:memory=1Gi,hugepages-2Mi=4Mi; 1:memory=2Gi',
      [
        { numaNode: 0, limits: { memory: '1Gi', 'hugepages-2Mi': '4Mi' } },
        { numaNode: 1, limits: { memory: '2Gi' } },
      ],
    ],
    ['topologyManagerPolicy', 'single-numa-node', 'single-numa-node'],
    ['topologyManagerScope', 'pod', 'pod'],
    ['topologyManagerPolicyOptions', 'prefer-closest-numa-nodes=true', { 'prefer-closest-numa-nodes': 'true' }],
    ['loadBalancerRange', '192.0.2.200-192.0.2.220, 192.0.2.64/28', ['192.0.2.200-192.0.2.220', '192.0.2.64/28']],
    ['nodeName', 'worker-1.example', 'worker-1.example'],
    ['cloudProvider', 'local', 'local'],
    ['providerID', 'hcloud://42', 'hcloud://42'],
    [
      'nodeLabels',
      'disk=ssd, topology.kubernetes.io/zone=a,empty=',
      { disk: 'ssd', 'topology.kubernetes.io/zone': 'a', empty: '' },
    ],
    [
      'nodeTaints',
      'gpu=yes:NoSchedule, x:NoExecute',
      [
        { key: 'gpu', value: 'yes', effect: 'NoSchedule' },
        { key: 'x', effect: 'NoExecute' },
      ],
    ],
    ['disableAdmissionPlugins', 'PodSecurity,LimitRanger', ['PodSecurity', 'LimitRanger']],
  ])('%s %s', (name, text, value) => expect(settings[name].read(text)).toEqual(value));

  test('a relative path becomes absolute', () =>
    expect(settings.auditPolicy.read('policy.yaml')).toBe(`${process.cwd()}/policy.yaml`));
});

describe('a setting refuses a value that cannot be used', () => {
  test.each<[keyof Settings, string, RegExp]>([
    ['port', '65536', /whole number from 0 to 65535/],
    ['loadBalancerRange', '192.0.2.220-192.0.2.200', /is no range/],
    ['loadBalancerRange', 'fd00::1-192.0.2.1', /is no range/],
    ['loadBalancerRange', 'fd00::/111', /more than 65536/],
    ['loadBalancerRange', '10.0.0.0/8', /more than 65536/],
    ['port', '', /whole number/],
    ['port', '6443.5', /whole number/],
    ['nodes', '0', /whole number from 1 to 5000/],
    ['runtime', 'docker', /Allowed choices are native, cri, simulated/],
    ['components', 'etcd', /unknown component "etcd"\. Allowed: kube-apiserver, /],
    ['enableAdmissionPlugins', 'AlwaysMaybe', /unknown admission plugin "AlwaysMaybe"\. Allowed: Namespace/],
    ['anonymousAuth', 'no', /true or false/],
    ['nodeIP', 'localhost', /no address of a machine/],
    ['nodeIP', '0.0.0.0', /no address of a machine/],
    ['nodeIP', 'fe80::1', /no address of a machine/],
    ['nodeIP', '192.0.2.1,192.0.2.2', /one of each family/],
    ['nodeIP', '192.0.2.1,fd00::1,fd00::2', /one of each family/],
    ['nodeName', 'Worker', /name in lower case/],
    ['nodeName', 'a..b', /name in lower case/],
    ['nodeLabels', 'a=b=c', /is no label/],
    ['nodeLabels', '-x=1', /is no label/],
    ['nodeLabels', 'node-role.kubernetes.io/control-plane=', /cannot give itself the label/],
    ['nodeTaints', 'gpu=yes', /is no taint/],
    ['nodeTaints', 'gpu=yes:Never', /is no taint/],
    ['nodeTaints', '=x:NoSchedule', /is no taint/],
    ['serviceCidr', '10.96.0.1/12', /give the first address/],
    ['serviceCidr', '10.0.0.0/8', /from \/12 to \/28/],
    ['serviceCidr', '10.0.0.0/29', /from \/12 to \/28/],
    ['serviceCidr', 'fd00::/63', /IPv6 range from \/64 to \/124/],
    ['serviceCidr', '10.0.0.0/16,10.1.0.0/16', /one of each family/],
    ['serviceCidr', '10.0.0.0/16,fd00::/112,fd01::/112', /one of each family/],
    ['serviceCidr', '10.0.0.0/16,', /"" is no range/],
    ['clusterCidr', 'everything', /no range/],
    ['clusterCidr', 'fd00::/40', /IPv6 range from \/48 to \/64/],
    ['clusterCidr', '10.0.0.0/25', /from \/8 to \/24/],
    ['disable', 'coredns', /unknown component "coredns"/],
    ['clusterDomain', 'Cluster_Local', /DNS name in lower case/],
    ['autoscalerSyncPeriod', '0s', /Give a duration/],
    ['autoscalerDownscaleStabilization', '-5m', /Give a duration/],
    ['autoscalerCpuInitializationPeriod', '5', /Give a duration/],
    ['autoscalerTolerance', '-0.1', /not negative/],
    ['autoscalerTolerance', 'much', /not negative/],
    ['evictionHard', 'memory.available', /is no threshold/],
    ['systemReserved', 'cpu', /"cpu" is not of the form name=value/],
    ['systemReserved', 'pid=5', /cannot reserve "pid"\. Allowed: cpu, memory/],
    ['systemReserved', 'memory=much', /"much" is no amount/],
    ['reservedCpus', '0-', /Give numbers and ranges of CPUs/],
    ['cpuManagerPolicy', 'Static', /Allowed choices are none, static/],
    ['cpuManagerPolicyOptions', 'a=b=c', /"a=b=c" is not of the form/],
    ['memoryManagerPolicy', 'static', /Allowed choices are None, Static/],
    ['reservedMemory', 'memory=1Gi', /is not of the form 0:memory=1Gi/],
    ['reservedMemory', '0:memory=x', /"x" is no amount/],
    ['topologyManagerPolicy', 'x', /Allowed choices are none, best-effort, restricted, single-numa-node/],
    ['evictionHard', 'memory.available<1<2', /is no threshold/],
    ['evictionHard', 'cpu.available<5%', /unknown eviction signal "cpu.available"\. Allowed: memory\.available, /],
    ['evictionHard', 'memory.available<5%,memory.available<1Gi', /two thresholds/],
    ['evictionHard', 'memory.available<101%', /0% to 100%/],
    ['evictionHard', 'memory.available<-1Gi', /positive quantity/],
    ['evictionHard', 'memory.available<much', /positive quantity/],
  ])('%s %s', (name, text, says) => expect(() => settings[name].read(text)).toThrow(says));
});

describe('a running cluster becomes the first server', () => {
  const complete = (more: Partial<ClusterRequest>) =>
    completeConfig({ name: 'test', dataDirectory: '/data', nodeIP: '192.0.2.1', ...more });
  test('with its settings', () =>
    expect(serverConfig(complete({ port: 7000 }))).toMatchObject({ port: 7000, server: { init: true } }));
  test('without the components that the cluster does not have', () =>
    expect(serverConfig(complete({ disable: ['cluster-dns'] })).components).not.toContain('cluster-dns'));
  test.each<[string, Partial<ClusterRequest>, RegExp]>([
    ['another store', { store: 'memory' }, /has its own etcd member/],
    ['simulated nodes', { runtime: 'simulated' }, /one real node/],
    ['any free port', { port: 0 }, /needs a fixed --port/],
    ['an address that others do not reach', { nodeIP: '127.0.0.1' }, /start the cluster with --node-ip/],
    ['some of the components', { components: ['kube-apiserver'] }, /lacks kube-controller-manager/],
  ])('not with %s', (_, more, says) => expect(() => serverConfig(complete(more))).toThrow(says));
});

describe('settings that contradict each other are refused', () => {
  const dualRanges = { serviceCidr: '10.0.0.0/16,fd00::/112', clusterCidr: '10.1.0.0/16,fd01::/56' };
  const complete = (more: Partial<ClusterRequest>) => completeConfig({ name: 'test', dataDirectory: '/data', ...more });
  test.each<[string, Partial<ClusterRequest>, RegExp]>([
    ['etcd without endpoints', { store: 'etcd' }, /needs --etcd-endpoints/],
    ['endpoints without etcd', { etcdEndpoints: ['http://a'] }, /--etcd-endpoints needs --store etcd/],
    ['a CA of etcd without etcd', { etcdCafile: '/ca' }, /--etcd-cafile needs --store etcd/],
    [
      'a certificate for etcd without its key',
      { store: 'etcd', etcdEndpoints: ['https://a'], etcdCertfile: '/c' },
      /--etcd-certfile and --etcd-keyfile need each other/,
    ],
    ['an audit log without a policy', { auditLog: '/log' }, /need --audit-policy/],
    [
      'a node without an API server',
      { components: ['kubelet'] },
      /kubelet needs kube-apiserver: add it to --components/,
    ],
    ['no API server', { disable: ['kube-apiserver'] }, /--disable kube-apiserver: every other component needs it/],
    [
      'a plugin that is enabled and disabled',
      { enableAdmissionPlugins: ['PodSecurity'], disableAdmissionPlugins: ['PodSecurity'] },
      /PodSecurity is in --enable-admission-plugins and in --disable-admission-plugins/,
    ],
    [
      'services of both families and pods of one',
      { serviceCidr: '10.0.0.0/16,fd00::/112', clusterCidr: '10.1.0.0/16' },
      /--service-cidr has IPv4 and IPv6, and --cluster-cidr IPv4: give both the same families/,
    ],
    [
      'pods of both families and services without a range',
      { clusterCidr: '10.1.0.0/16,fd00::/56' },
      /--service-cidr has IPv4 by default, and --cluster-cidr IPv4 and IPv6/,
    ],
    [
      'families in another order',
      { serviceCidr: '10.0.0.0/16,fd00::/112', clusterCidr: 'fd01::/56,10.1.0.0/16' },
      /the same families in the same order/,
    ],
    [
      'IPv6 by the proxy in user space',
      { ...dualRanges, proxyMode: 'userspace' },
      /--proxy-mode userspace has no IPv6/,
    ],
    [
      'an address of a family that the cluster lacks',
      { nodeIP: 'fd00::1', serviceCidr: '10.0.0.0/16' },
      /--node-ip fd00::1: the cluster has IPv4 alone/,
    ],
    [
      'ranges of IPv6 that overlap',
      { nodeIP: 'fd00::1', serviceCidr: 'fd00:1::/112', clusterCidr: 'fd00:1::/56' },
      /overlap: choose another/,
    ],
    [
      'more nodes than ranges of IPv6',
      { nodeIP: 'fd00::1', serviceCidr: 'fd00:1::/112', clusterCidr: 'fd00:2::/63', nodes: 3 },
      /room for 2 nodes of a \/64 each/,
    ],
    ['ranges that overlap', { serviceCidr: '10.0.0.0/16', clusterCidr: '10.0.0.0/8' }, /overlap: choose another/],
    [
      'load balancers in the range of services',
      { serviceCidr: '10.0.0.0/16', loadBalancerRange: ['10.0.7.1-10.0.7.9'] },
      /--load-balancer-range 10\.0\.7\.1-10\.0\.7\.9 and --service-cidr/,
    ],
    [
      'load balancers with the address of the machine',
      { nodeIP: '192.0.2.10', loadBalancerRange: ['192.0.2.0/24'] },
      /contains 192\.0\.2\.10, the address of this machine/,
    ],
    ['more nodes than ranges', { clusterCidr: '10.0.0.0/22', nodes: 5 }, /room for 4 nodes of 256 addresses/],
    ['more nodes than the default range has room for', { nodes: 257 }, /room for 256 nodes/],
  ])('%s', (_, more, says) => expect(() => complete(more)).toThrow(says));

  test('a crowd of simulated nodes gets a larger range', () =>
    expect(defaultRanges(complete({ runtime: 'simulated', nodes: 1000 })).clusterCidr).toBe('10.128.0.0/9'));

  test('a configuration is the same after it was a message', () => {
    const config = complete({ port: 1, auditPolicy: '/policy' });
    expect(JSON.parse(JSON.stringify(config))).toEqual(config);
  });

  test('a disabled component does not run', () =>
    expect(complete({ disable: ['kube-proxy'] }).components).toEqual(
      componentNames.filter((name) => name !== 'kube-proxy'),
    ));

  test('a request without settings gets the default of each', () =>
    expect(complete({})).toMatchObject({
      port: 6443,
      components: componentNames,
      store: 'embedded',
      anonymousAuth: true,
    }));
});

test.each([
  ['10.0.0.0/8', '10.1.0.0/16', true],
  ['10.1.0.0/16', '10.0.0.0/8', true],
  ['10.1.0.0/16', '10.2.0.0/16', false],
  ['10.1.0.0/16', '10.1.255.255/32', true],
  ['10.1.0.0/16', 'fd00::/8', false],
  ['10.1.0.0/16,fd00::/64', 'fd00::7/128', true],
  ['10.1.0.0/16,fd00::/64', '10.2.0.0/16,fd00:1::/64', false],
])('%s and %s overlap: %s', (one, other, expected) => expect(overlap(one, other)).toBe(expected));

const access = (more: Partial<Parameters<typeof createAccess>[0]>) =>
  createAccess({
    clock: systemClock,
    random: seededRandom(1),
    metrics: new Metrics(),
    serviceAccounts: { signingKey: makeSigningKey(), issuer: 'i' },
    ...more,
  });

/** Checks of the API itself, which no option turns off. */
const fixed = ['RBACEscalation', 'ResourceClaimRights'];

const pluginNames = (more: Partial<Parameters<typeof createAccess>[0]>) =>
  access(more)
    .admission.map(({ name }) => name)
    .filter((name) => !fixed.includes(name));

test('the names of the default admission plugins are those of the plugins, in their order', () =>
  expect(pluginNames({})).toEqual([...defaultAdmissionPlugins]));

test('every optional admission plugin runs when it is enabled, at its place', () => {
  const imagePolicy = {
    server: { url: 'https://images.test' },
    allowTtlMs: 1,
    denyTtlMs: 1,
    retryBackoffMs: 1,
    defaultAllow: false,
  };
  const configuration = { eventLimits: [], imagePolicy };
  const names = pluginNames({
    enabledAdmissionPlugins: optionalAdmissionPlugins,
    admissionConfiguration: configuration,
  });
  expect(names.filter((name) => optionalAdmissionPlugins.includes(name as 'AlwaysAdmit'))).toEqual([
    ...optionalAdmissionPlugins,
  ]);
  expect(names.at(0)).toBe('AlwaysAdmit');
  expect(names.at(-1)).toBe('AlwaysDeny');
  expect(names).toHaveLength(defaultAdmissionPlugins.length + optionalAdmissionPlugins.length);
});

test('a disabled admission plugin does not run, and anonymous requests may be refused', () => {
  const { admission, authenticators } = access({ disabledAdmissionPlugins: ['PodSecurity'], anonymousAuth: false });
  expect(admission.map(({ name }) => name)).not.toContain('PodSecurity');
  expect(admission).toHaveLength(defaultAdmissionPlugins.length - 1 + fixed.length);
  expect(authenticators.map(({ name }) => name)).not.toContain('anonymous');
});

test.each<[keyof Settings, string]>([
  ['nodeLabels', 'disk=ssd,zone=a'],
  ['nodeTaints', 'gpu=yes:NoSchedule,x:NoExecute'],
  ['evictionHard', 'memory.available<5%,nodefs.available<1Gi'],
  ['reservedMemory', '0:memory=1Gi,hugepages-2Mi=4Mi;1:memory=2Gi'],
  ['systemReserved', 'cpu=500m,memory=1Gi'],
])('%s is written as it is read', (name, text) => {
  const setting = settings[name] as Setting<unknown>;
  expect(setting.format?.(setting.read(text))).toBe(text);
});
