import { expect, test } from 'vitest';
import type { KubeletConfig } from '../config.ts';
import { parseKubeletConfiguration } from '../configuration.ts';
import { configz } from './configz.ts';

const base = {
  ...{ nodeIPs: ['10.0.0.1'], port: 10250, clusterDNS: ['10.96.0.10'], clusterDomain: 'cluster.local' },
  ...{ maxPods: 110, containerLogMaxSize: 10 * 2 ** 20, containerLogMaxFiles: 5 },
  reserved: { cpuMillis: 0, memoryBytes: 0 },
} as unknown as KubeletConfig;
const shown = (config: Partial<KubeletConfig> = {}) =>
  (configz({ ...base, ...config }) as { kubeletconfig: Record<string, unknown> }).kubeletconfig;

test('defaults are those of Kubernetes', () =>
  expect(shown()).toMatchObject({
    ...{ kind: 'KubeletConfiguration', apiVersion: 'kubelet.config.k8s.io/v1beta1' },
    ...{ address: '10.0.0.1', port: 10250, clusterDNS: ['10.96.0.10'], clusterDomain: 'cluster.local' },
    ...{
      syncFrequency: '1m0s',
      fileCheckFrequency: '20s',
      httpCheckFrequency: '20s',
      nodeStatusUpdateFrequency: '10s',
      nodeStatusReportFrequency: '5m0s',
    },
    ...{ maxPods: 110, podPidsLimit: -1, containerLogMaxSize: '10Mi', containerLogMaxFiles: 5 },
    ...{ cpuManagerPolicy: 'none', memoryManagerPolicy: 'None', topologyManagerPolicy: 'none' },
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '10%' },
    evictionPressureTransitionPeriod: '5m0s',
  }));

test('a file is shown as it was given', () => {
  const fields = {
    ...{ maxPods: 50, podPidsLimit: 100, containerLogMaxSize: '5Mi', containerLogMaxFiles: 3 },
    ...{ cpuManagerPolicy: 'static', cpuManagerReconcilePeriod: '5s', reservedSystemCPUs: '0' },
    ...{ staticPodPath: '/manifests', fileCheckFrequency: '5s' },
    ...{ evictionHard: { 'memory.available': '5%' }, evictionSoft: { 'memory.available': '10%' } },
    ...{ evictionSoftGracePeriod: { 'memory.available': '1m30s' }, evictionMaxPodGracePeriod: 30 },
    evictionPressureTransitionPeriod: '1m0s',
  };
  const file = { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', ...fields };
  const { reserved: _, ...config } = parseKubeletConfiguration(JSON.stringify(file));
  expect(shown(config)).toMatchObject(fields);
});

test('the credentials of a web server with static pods are not shown', () => {
  const content = {
    staticPodURL: 'https://ann:secret@example.com/pods',
    staticPodURLHeader: { 'X-Token': ['secret'] },
  };
  const file = { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', ...content };
  const { reserved: _, ...config } = parseKubeletConfiguration(JSON.stringify(file));
  expect(shown(config)).toMatchObject({
    staticPodURL: 'https://example.com/pods',
    staticPodURLHeader: { 'X-Token': ['<masked>'] },
  });
});
