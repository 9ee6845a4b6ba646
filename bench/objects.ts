// Objects of a realistic size: a pod as a Deployment makes it is about 2.8 kB.

export const namespace = 'bench';

export function pod(name: string, labels: Record<string, string> = {}): object {
  const env = Array.from({ length: 8 }, (_, i) => ({
    name: `SETTING_${i}`,
    value: `a value of moderate length for setting number ${i}`,
  }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels: { app: 'bench', ...labels },
      annotations: { 'bench.test/note': 'x'.repeat(200) },
    },
    spec: {
      // No scheduler takes these: the API alone is measured.
      schedulerName: 'bench',
      automountServiceAccountToken: false,
      containers: [
        {
          name: 'main',
          image: 'registry.test/bench:1',
          env,
          ports: [{ containerPort: 8080 }],
          resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } },
          readinessProbe: { httpGet: { path: '/healthz', port: 8080 } },
        },
      ],
    },
  };
}

/** A Ready node of 32 cores and 256 GiB without a kubelet. */
export const node = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'kubernetes.io/hostname': name } },
  status: {
    capacity: { cpu: '32', memory: '256Gi', pods: '110' },
    allocatable: { cpu: '32', memory: '256Gi', pods: '110' },
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'KubeletReady',
        lastHeartbeatTime: '2026-01-01T00:00:00Z',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      },
    ],
  },
});
