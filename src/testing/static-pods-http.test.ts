import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startCluster, type TestCluster } from './testing.ts';

let cluster: TestCluster;
let directory: string;
let server: Server;
/** Undefined: the server fails. */
let served: object | undefined;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'coracle-static-http-'));
  server = createServer((_, response) => {
    if (served) response.end(JSON.stringify(served));
    else response.writeHead(500).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const kubeletConfig = path.join(directory, 'kubelet.yaml');
  const staticPodURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const type = { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration' };
  await writeFile(path.join(directory, 'web.yaml'), JSON.stringify(manifest('web', 'example.com/file:1')));
  const content = { staticPodURL, httpCheckFrequency: '200ms', staticPodPath: 'web.yaml' };
  await writeFile(kubeletConfig, JSON.stringify({ ...type, ...content }));
  served = undefined;
  cluster = await startCluster({ time: 'real', kubeletConfig });
});
afterEach(async () => {
  await cluster.stop();
  server.closeAllConnections();
  server.close();
  await rm(directory, { recursive: true });
});

const manifest = (name: string, image = 'example.com/app:1') => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image }] },
});
const list = (...items: object[]) => ({ apiVersion: 'v1', kind: 'PodList', items });
const pod = (name: string) =>
  cluster.client.get('pods', { namespace: 'default', name: `${name}-node-1` }).catch(() => undefined);
const sourceOf = async (name: string) => (await pod(name))?.metadata.annotations?.['kubernetes.io/config.source'];
const isRunning = async (name: string) => (await pod(name))?.status?.phase === 'Running';

test('pods of a web server run beside those of files, as long as it lists them', async () => {
  // While the server fails, those of files run.
  await cluster.until(() => isRunning('web'));
  served = list(manifest('api'), manifest('web', 'example.com/http:1'));
  await cluster.until(() => isRunning('api'));
  expect([await sourceOf('api'), await sourceOf('web')]).toEqual(['http', 'file']);
  expect((await pod('web'))?.spec?.containers[0].image).toBe('example.com/file:1');
  const { uid } = (await pod('api'))?.metadata ?? {};
  served = undefined;
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect((await pod('api'))?.metadata.uid).toBe(uid);
  served = manifest('api', 'example.com/app:2');
  await cluster.until(async () => (await pod('api'))?.spec?.containers[0].image === 'example.com/app:2');
  served = list();
  await cluster.until(async () => (await pod('api')) === undefined);
  expect(await isRunning('web')).toBe(true);
});
