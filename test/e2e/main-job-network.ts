// The part of the main job that works with services, network policies and tokens, from inside pods.

import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { eventually } from './machine.ts';
import { image, shell, type User } from './main-job-user.ts';

export function networkTests(user: User): void {
  const { get, kubectl } = user;
  const onNative = test.runIf(user.isThorough);

  onNative('pods find services by name, and a pod itself through its own service', async () => {
    await user.machine.apply(
      {
        ...shell('alone', ''),
        metadata: { name: 'alone', labels: { app: 'alone' } },
        spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image }] },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'own' },
        spec: { selector: { app: 'alone' }, ports: [{ port: 80, targetPort: 8080 }] },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'headless' },
        spec: { clusterIP: 'None', selector: { app: 'alone' }, ports: [{ port: 8080 }] },
      },
    );
    await kubectl('wait', '--for=condition=Ready', 'pod/alone', '--timeout=30s');
    const fetchFrom = (url: string) =>
      user.machine.tryKubectl(['exec', 'alone', '--', 'wget', '-q', '-T', '3', '-O', '-', url]);
    const reaches = (url: string, text: string) =>
      eventually(async () => expect((await fetchFrom(url)).stdout).toContain(text));
    await reaches('http://web', 'Hello from pod web-');
    await reaches('http://web.default.svc.cluster.local', 'Hello from pod web-');
    await reaches('http://own', 'Hello from pod alone');
    await reaches('http://headless:8080', 'Hello from pod alone');
    const api = "fetch('https://kubernetes.default/version').then(() => {}, (error) => console.log(error.cause.code))";
    expect(await kubectl('exec', 'alone', '--', 'node', '-e', api)).toMatch(/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/);
  });

  test.runIf(user.isThorough && existsSync('/usr/sbin/nft'))(
    'a network policy keeps other pods away, and the node reaches the pod',
    async () => {
      const address = await get('pods -l app=web', '.items[0].status.podIP');
      const url = `http://${address}:8080`;
      const script = `fetch('${url}', { signal: AbortSignal.timeout(1000) }).then((r) => r.text()).then(console.log, () => process.exit())`;
      const fetched = () => kubectl('exec', 'alone', '--', 'node', '-e', script);
      expect(await fetched()).toContain('Hello from pod web-');
      await user.machine.apply({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: 'web' },
        spec: { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Ingress'] },
      });
      await eventually(async () => expect(await fetched()).toBe(''), 3_000);
      expect((await user.machine.curl(url)).stdout).toContain('Hello from pod web-');
      await kubectl('delete', 'networkpolicy', 'web');
      await eventually(async () => expect(await fetched()).toContain('Hello from pod web-'), 3_000);
    },
  );

  onNative('a service account token from inside a pod reaches the API', async () => {
    const ask = `
      const { readFileSync } = require('node:fs'), https = require('node:https');
      const at = '/var/run/secrets/kubernetes.io/serviceaccount/';
      https.get('https://kubernetes.default/api/v1/namespaces/default/pods', { ca: readFileSync(at + 'ca.crt'),
        headers: { authorization: 'Bearer ' + readFileSync(at + 'token') } },
        (response) => { let text = ''; response.on('data', (d) => (text += d)); response.on('end', () => console.log(text)); });`;
    expect(JSON.parse(await kubectl('exec', 'alone', '--', 'node', '-e', ask))).toMatchObject({
      code: 403,
      message: expect.stringContaining('User "system:serviceaccount:default:default" cannot list resource "pods"'),
    });
  });
}
