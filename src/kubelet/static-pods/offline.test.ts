import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ComponentContext, cutClient, Link } from '../../client/client.ts';
import { createSimulatedRuntime, type SimulatedRuntime } from '../../container-runtime/container-runtime.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import type { KubeletConfig } from '../config.ts';
import { startKubelet } from '../kubelet.ts';

let directory: string;
let runtime: SimulatedRuntime;
const at = (name: string) => path.join(directory, name);

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'coracle-offline-'));
  runtime = createSimulatedRuntime({ clock: systemClock, random: seededRandom(1) });
});
afterEach(async () => {
  await runtime.close();
  await rm(directory, { recursive: true });
});

const configOf = (staticPodPath: string) =>
  ({
    ...{
      nodeName: 'n',
      nodeIPs: ['127.0.0.1'],
      hostname: 'n',
      port: 0,
      clusterDNS: [],
      clusterDomain: 'cluster.local',
    },
    ...{
      rootDirectory: at('root'),
      volumeDirectory: at('volumes'),
      podLogsDirectory: at('logs'),
      labels: {},
      taints: [],
    },
    capacity: { cpuMillis: 1000, memoryBytes: 2 ** 30, ephemeralStorageBytes: 2 ** 30 },
    ...{ reserved: { cpuMillis: 0, memoryBytes: 0 }, maxPods: 110, nodeInfo: {}, usesFilesystem: false },
    ...{ containerLogMaxSize: 2 ** 20, containerLogMaxFiles: 2, staticPodPath },
  }) as unknown as KubeletConfig;

/** Of a kubelet whose API server never answers. */
function contextOf(): ComponentContext {
  const link = new Link();
  link.cut();
  const client = cutClient({} as ComponentContext['client'], link);
  const fatal = (error: Error) => expect.unreachable(String(error));
  return { client, clock: systemClock, random: seededRandom(1), logger: silentLogger, metrics: new Metrics(), fatal };
}

const running = async () => (await runtime.listContainers()).filter(({ state }) => state === 'running');
/** The id of the one container that runs. */
async function other(than?: string): Promise<string> {
  const ids = async () => (await running()).map(({ id }) => id);
  await expect.poll(async () => (await ids()).filter((id) => id !== than).length, { timeout: 8000 }).toBe(1);
  const all = await ids();
  expect(all.length).toBe(1);
  return all[0];
}

async function write(name: string, image: string): Promise<void> {
  const spec = { hostNetwork: true, terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image }] };
  await writeFile(at('new'), JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec }));
  await rename(at('new'), at(name));
}

test('a manifest is followed without an API server', async () => {
  await write('web.yaml', 'example.com/app:1');
  startKubelet(contextOf(), configOf(at('web.yaml')), { runtime }).catch(() => {});
  const first = await other();
  await write('web.yaml', 'example.com/app:2');
  await other(first);
  await rm(at('web.yaml'));
  await expect.poll(async () => (await running()).length, { timeout: 8000 }).toBe(0);
});
