// Pods and services that tests of IPv6 ask in each family.

import type { Machine } from './machine.ts';

export const image = 'example.test/busybox:1';

/** Gives a machine an IPv6 address with its host number. */
export async function addSix(machine: Machine): Promise<string> {
  const address = `fd01::${machine.address.split('.')[3]}`;
  await machine.run('ip', ['addr', 'add', `${address}/64`, 'dev', 'eth0', 'nodad']);
  return address;
}

export const url = (address: string, port: number) =>
  `http://${address.includes(':') ? `[${address}]` : address}:${port}/`;

const fieldRef = (fieldPath: string) => ({ valueFrom: { fieldRef: { fieldPath } } });
export const web = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'web',
            image,
            command: ['sh', '-c', 'mkdir /www; echo $NODE > /www/index.html; httpd -f -p 8080 -h /www'],
            ports: [{ containerPort: 8080, hostPort: 18_080 }],
            env: [
              { name: 'NODE', ...fieldRef('spec.nodeName') },
              { name: 'POD_IPS', ...fieldRef('status.podIPs') },
              { name: 'HOST_IPS', ...fieldRef('status.hostIPs') },
            ],
            readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 1 },
          },
        ],
      },
    },
  },
};
export const service = (name: string, spec: object) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
});

interface PodRow {
  readonly name: string;
  readonly node: string;
  readonly ips: readonly string[];
  readonly hostIPs: readonly string[];
}

export async function podsOf(machine: Machine): Promise<PodRow[]> {
  const { items } = JSON.parse(await machine.kubectl('get', 'pods', '-l', 'app=web', '-o', 'json'));
  const ipsOf = (list: { ip: string }[]) => list.map(({ ip }) => ip);
  return items.map(({ metadata, spec, status }: any) => ({
    ...{ name: metadata.name, node: spec.nodeName, ips: ipsOf(status.podIPs), hostIPs: ipsOf(status.hostIPs) },
  }));
}
