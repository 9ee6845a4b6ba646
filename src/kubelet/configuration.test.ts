import { expect, test } from 'vitest';
import { parseKubeletConfiguration } from './configuration.ts';

const parse = (fields: string) =>
  parseKubeletConfiguration(`apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n${fields}`);

test.each<[string, object]>([
  ['', {}],
  [
    'cpuManagerPolicy: static\ncpuManagerPolicyOptions: {full-pcpus-only: "true"}\ncpuManagerReconcilePeriod: 5s',
    {
      resourceManagers: {
        ...{ cpuManagerPolicy: 'static', cpuManagerPolicyOptions: { 'full-pcpus-only': 'true' } },
        cpuManagerReconcilePeriodMs: 5000,
      },
    },
  ],
  [
    'reservedMemory:\n- numaNode: 0\n  limits: {memory: 1Gi}\nmemoryManagerPolicy: Static\nreservedSystemCPUs: 0-1',
    {
      resourceManagers: {
        ...{ reservedMemory: [{ numaNode: 0, limits: { memory: '1Gi' } }], memoryManagerPolicy: 'Static' },
        reservedSystemCPUs: '0-1',
      },
    },
  ],
  ['staticPodPath: /manifests\nfileCheckFrequency: 5s', { staticPodPath: '/manifests', fileCheckFrequencyMs: 5000 }],
  ['staticPodPath: ""', {}],
  [
    'staticPodURL: https://manifests.example.com/pods\nstaticPodURLHeader: {X-Token: [a, b]}\nhttpCheckFrequency: 30s',
    {
      staticPodURL: 'https://manifests.example.com/pods',
      staticPodURLHeader: { 'X-Token': ['a', 'b'] },
      httpCheckFrequencyMs: 30_000,
    },
  ],
  ['topologyManagerPolicy: restricted', { resourceManagers: { topologyManagerPolicy: 'restricted' } }],
  [
    'systemReserved: {cpu: 500m, memory: 1Gi}\nkubeReserved: {cpu: "1"}',
    { reserved: { cpuMillis: 1500, memoryBytes: 2 ** 30 } },
  ],
  [
    'evictionHard: {memory.available: 5%}\nevictionPressureTransitionPeriod: 1m',
    { eviction: { evictionHard: { 'memory.available': '5%' }, evictionPressureTransitionPeriodMs: 60_000 } },
  ],
  [
    'evictionSoft: {memory.available: 5%}\nevictionSoftGracePeriod: {memory.available: 90s}',
    {
      eviction: {
        evictionSoft: { 'memory.available': '5%' },
        evictionSoftGracePeriodMs: { 'memory.available': 90_000 },
      },
    },
  ],
  [
    'maxPods: 50\npodPidsLimit: -1\ncontainerLogMaxSize: 5Mi\ncontainerLogMaxFiles: 3',
    { maxPods: 50, containerLogMaxSize: 5 * 2 ** 20, containerLogMaxFiles: 3 },
  ],
  ['maxPods: null', {}],
  [
    'evictionHard: {memory.available: 5%}\nmergeDefaultEvictionSettings: true',
    {
      eviction: {
        evictionHard: {
          ...{ 'memory.available': '5%', 'nodefs.available': '10%', 'nodefs.inodesFree': '5%' },
          ...{ 'imagefs.available': '15%', 'imagefs.inodesFree': '5%' },
        },
      },
    },
  ],
  [
    'imageGCHighThresholdPercent: 70\nimageGCLowThresholdPercent: 60\nimageMinimumGCAge: 5m\nimageMaximumGCAge: 24h',
    {
      imageGarbage: {
        ...{ highThresholdPercent: 70, lowThresholdPercent: 60 },
        ...{ minimumAgeMs: 300_000, maximumAgeMs: 86_400_000 },
      },
    },
  ],
  [
    'nodeStatusUpdateFrequency: 30s\nnodeLeaseDurationSeconds: 20\nnodeStatusMaxImages: -1',
    { nodeStatus: { updateMs: 30_000, reportMs: 30_000, leaseSeconds: 20, maxImages: -1 } },
  ],
  [
    'nodeStatusUpdateFrequency: 5s\nnodeStatusReportFrequency: 1m',
    { nodeStatus: { updateMs: 5_000, reportMs: 60_000 } },
  ],
  [
    'allowedUnsafeSysctls: [kernel.msg*, net/core/somaxconn]\nseccompDefault: true\npodsPerCore: 10',
    { allowedUnsafeSysctls: ['kernel.msg*', 'net/core/somaxconn'], seccompDefault: true, podsPerCore: 10 },
  ],
  [
    'clusterDNS: [10.0.0.10, "fd00::10"]\nclusterDomain: example.org\ncontainerLogMonitorInterval: 3s',
    {
      ...{ clusterDNS: ['10.0.0.10', 'fd00::10'], clusterDomain: 'example.org' },
      containerLogMonitorIntervalMs: 3_000,
    },
  ],
  ['imageMinimumGCAge: 0s\nnodeStatusUpdateFrequency: 0s\nevictionPressureTransitionPeriod: 0s', {}],
  [
    'authentication: {webhook: {enabled: true, cacheTTL: 0s}}\nauthorization: {mode: Webhook}\ncgroupDriver: cgroupfs',
    {},
  ],
  ['logging: {flushFrequency: 0, options: {json: {infoBufferSize: "0"}}, verbosity: 0}\nmemorySwap: {}', {}],
  ['shutdownGracePeriod: 0s\ncrashLoopBackOff: {}\nrotateCertificates: true\nsyncFrequency: 1m', {}],
])('%j', (fields, expected) => {
  expect(parse(fields)).toEqual(expected);
});

test.each([
  ['swapBehavior: x', 'field "swapBehavior" is not supported'],
  ['constructor: x', 'field "constructor" is not supported'],
  ['maxPods: many', 'maxPods must be an integer'],
  ['maxPods: -1', 'invalid configuration: maxPods (--max-pods) -1 must not be a negative number'],
  ['containerLogMaxFiles: 1', 'containerLogMaxFiles (--container-log-max-files) 1 must be greater than 1'],
  ['cpuManagerPolicy: best', 'unknown policy: "best"'],
  ['cpuManagerReconcilePeriod: soon', 'cpuManagerReconcilePeriod: "soon" is no duration'],
  ['reservedMemory: [1]', 'reservedMemory[0] must be an object'],
  ['reservedMemory: [{numaNode: 0, limits: {cpu: "1"}}]', 'the limit type "cpu" for NUMA node 0 is not supported'],
  ['systemReserved: {pid: "100"}', 'cannot reserve "pid" resource (systemReserved)'],
  ['kubeReserved: {cpu: much}', 'kubeReserved.cpu: "much" is no amount'],
  ['evictionHard: {x: 1%}', 'x'],
  [
    'imageGCHighThresholdPercent: 101',
    'imageGCHighThresholdPercent (--image-gc-high-threshold) 101 must be between 0 and 100, inclusive',
  ],
  ['imageGCHighThresholdPercent: 80', '80 must be less than imageGCHighThresholdPercent'],
  ['imageMaximumGCAge: 1m', 'imageMaximumGCAge 1m0s must be greater than imageMinimumGCAge 2m0s'],
  ['nodeLeaseDurationSeconds: -1', 'nodeLeaseDurationSeconds must be greater than 0'],
  ['nodeStatusMaxImages: -2', '-2 must be -1 or greater'],
  ['podsPerCore: -1', 'podsPerCore (--pods-per-core) -1 must not be a negative number'],
  ['allowedUnsafeSysctls: [vm.swappiness]', 'the sysctls "vm.swappiness" are not known to be namespaced'],
  ['allowedUnsafeSysctls: ["net.*.x"]', 'must have at most 253 characters and match regex'],
  ['nodeLeaseDurationSeconds: 3000000000', 'nodeLeaseDurationSeconds: 3000000000 is no integer of 32 bits'],
  [
    'containerLogMonitorInterval: 2s',
    'containerLogMonitorInterval must be a positive time duration greater than or equal to 3s',
  ],
  ['nodeStatusUpdateFrequency: 1ns', 'nodeStatusUpdateFrequency must be a positive time duration'],
  ['staticPodURL: /manifests', 'staticPodURL: "/manifests" must be a URL of http or https'],
  ['staticPodURL: ftp://example.com', 'staticPodURL: "ftp://example.com" must be a URL of http or https'],
  ['staticPodURLHeader: {"a b": [c]}', 'staticPodURLHeader: "a b" has a name or value that no header can have'],
  ['staticPodURLHeader: {a: b}', 'staticPodURLHeader'],
  ['fileCheckFrequency: 1us', 'fileCheckFrequency must be a positive time duration'],
  ['rotateCertificates: false', '"rotateCertificates" has a value that is not supported: it can only be true'],
  ['address: 0.0.0.0', '"address" has a value that is not supported: it can only be left out'],
  ['clusterDNS: [dns.example]', 'clusterDNS: "dns.example" is no address'],
  ['cgroupDriver: systemd', '"cgroupDriver" has a value that is not supported: it can only be "cgroupfs"'],
  ['shutdownGracePeriod: 30s', '"shutdownGracePeriod" has a value that is not supported: it can only be left out'],
  ['authentication: {x509: {clientCAFile: /ca.crt}}', 'field "authentication" has a value that is not supported'],
  ['authentication: {anonymous: {enabled: true}}', 'field "authentication" has a value that is not supported'],
  ['memorySwap: {swapBehavior: LimitedSwap}', 'it can only be {"swapBehavior":"NoSwap"}'],
])('%j is refused', (fields, why) => {
  expect(() => parse(fields)).toThrow(why);
});

test.each(['[]', 'kind: KubeletConfiguration', 'a: &a [*a]', 'apiVersion: v1\nkind: Pod'])('%j is refused', (text) => {
  expect(() => parseKubeletConfiguration(text)).toThrow();
});
