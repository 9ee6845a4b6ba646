// The objects of the add-ons, as kubeadm makes them: DaemonSet kube-proxy, and Deployment and Service of cluster DNS.
// https://kubernetes.io/docs/reference/setup-tools/kubeadm/implementation-details/#addons

import type { SystemObject } from '../objects/extra-objects.ts';
import { type AddOnName, addOnImages } from './program.ts';

/** On the objects that the cluster makes: those alone are removed with the add-on. */
export const addOnLabel = 'coracle.local/add-on';
const dnsLabels = { 'k8s-app': 'kube-dns' };
const proxyLabels = { 'k8s-app': 'kube-proxy' };

/** Ports of a pod of cluster DNS on its node. */
export interface DnsPorts {
  readonly dns: number;
  readonly metrics: number;
}

interface PodParts {
  readonly labels: Readonly<Record<string, string>>;
  readonly priorityClassName: string;
  readonly serviceAccountName: string;
  readonly tolerations: readonly object[];
  readonly container: object;
  readonly rest?: object;
}

const template = ({ labels, container, rest, ...parts }: PodParts) => ({
  metadata: { labels },
  spec: {
    ...parts,
    hostNetwork: true,
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    ...rest,
    containers: [container],
  },
});

const metadataOf = (name: AddOnName, labels: Readonly<Record<string, string>>) => ({
  name,
  namespace: 'kube-system',
  labels: { ...labels, [addOnLabel]: name },
});

export const proxyDaemonSet = (): SystemObject => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: metadataOf('kube-proxy', proxyLabels),
  spec: {
    selector: { matchLabels: proxyLabels },
    updateStrategy: { type: 'RollingUpdate' },
    template: template({
      labels: proxyLabels,
      priorityClassName: 'system-node-critical',
      serviceAccountName: 'kube-proxy',
      tolerations: [{ operator: 'Exists' }],
      // It has the identity of the node's proxy.
      rest: { automountServiceAccountToken: false },
      container: {
        name: 'kube-proxy',
        image: addOnImages['kube-proxy'],
        securityContext: { privileged: true },
      },
    }),
  },
});

/** One pod a node at most, because it has ports of the node: the former pod ends before the next one starts. */
export const dnsDeployment = ({ dns, metrics }: DnsPorts): SystemObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: metadataOf('cluster-dns', dnsLabels),
  spec: {
    replicas: 1,
    selector: { matchLabels: dnsLabels },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
    template: template({
      labels: dnsLabels,
      priorityClassName: 'system-cluster-critical',
      serviceAccountName: 'coredns',
      tolerations: [
        { key: 'CriticalAddonsOnly', operator: 'Exists' },
        { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' },
      ],
      rest: { dnsPolicy: 'Default' },
      container: {
        name: 'cluster-dns',
        image: addOnImages['cluster-dns'],
        args: [`--port=${dns}`, `--metrics-port=${metrics}`],
        ports: [
          { name: 'dns', containerPort: dns, protocol: 'UDP' },
          { name: 'dns-tcp', containerPort: dns, protocol: 'TCP' },
          { name: 'metrics', containerPort: metrics, protocol: 'TCP' },
        ],
        resources: { requests: { cpu: '100m', memory: '70Mi' } },
        // Soon after the start; the readiness probe runs every ten seconds.
        startupProbe: { httpGet: { path: '/ready', port: 'metrics' }, periodSeconds: 1, failureThreshold: 300 },
        livenessProbe: {
          httpGet: { path: '/health', port: 'metrics' },
          initialDelaySeconds: 60,
          timeoutSeconds: 5,
          failureThreshold: 5,
        },
        readinessProbe: { httpGet: { path: '/ready', port: 'metrics' } },
      },
    }),
  },
});
