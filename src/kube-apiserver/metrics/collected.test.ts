import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import facts from '../../../facts/metrics-apiserver.json' with { type: 'json' };
import { WorkQueue } from '../../client/queue/work-queue.ts';
import { workQueueMetrics } from '../../client/queue/work-queue-metrics.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { createAccess } from '../access/access.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { absentMetrics } from './absent.ts';

let server: TestServer;
let text: string;
const metrics = new Metrics();
const newKey = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;

beforeAll(async () => {
  server = await startTestServer({ namespaces: ['shop'], metrics, clock: systemClock });
  const { url } = await server.listen({ port: 0 });
  const metadata = { name: 'web', namespace: 'shop' };
  await server.call('POST', '/api/v1/namespaces/shop/services', {
    ...{ apiVersion: 'v1', kind: 'Service', metadata },
    spec: { type: 'NodePort', ports: [{ port: 80 }] },
  });
  await server.call('GET', '/api/v1/namespaces/shop/configmaps/absent');
  await fetch(`${url}/version`);
  createAccess({
    clock: systemClock,
    random: seededRandom(1),
    metrics,
    serviceAccounts: { signingKey: newKey(), issuer: 'i' },
  });
  // Controllers of the same process have their queues here.
  new WorkQueue({ clock: systemClock, metrics: workQueueMetrics(metrics, systemClock, 'job') });
  // The size of the store is that of the former reading.
  await fetch(`${url}/metrics`);
  text = await (await fetch(`${url}/metrics`)).text();
});
afterAll(() => server.stop());

test.each([
  /^apiserver_resource_objects\{group="",resource="services"\} 1$/m,
  /^apiserver_storage_objects\{resource="services"\} 1$/m,
  /^apiserver_watch_cache_resource_version\{group="",resource="services"\} \d+$/m,
  /^apiserver_storage_size_bytes\{storage_cluster_id="etcd-0"\} [1-9]\d*$/m,
  /^kube_apiserver_clusterip_allocator_allocated_ips\{cidr="10.96.0.0\/12"\} 1$/m,
  /^kube_apiserver_nodeport_allocator_allocated_ports 1$/m,
  /^kube_apiserver_nodeport_allocator_available_ports 2767$/m,
  /^kubernetes_feature_enabled\{name="AllAlpha",stage="ALPHA"\} 0$/m,
  /^kubernetes_build_info\{.*git_version="v1\.36\.2\+coracle".*\} 1$/m,
  /^version_info\{binary="1\.36",component="kube",emulation="1\.36",min_compat="1\.35"\} 1$/m,
  /^apiserver_current_inflight_requests\{request_kind="readOnly"\} 1$/m,
  /^authentication_attempts\{result="success"\} \d+$/m,
  /^authorization_attempts_total\{result="allowed"\} \d+$/m,
  /^apiserver_request_total\{code="404",.*verb="GET",.*\} 1$/m,
  /^process_resident_memory_bytes \d+$/m,
  /^process_cpu_seconds_total \d/m,
  /^process_start_time_seconds \d/m,
])('metrics have %s', (line) => expect(text).toMatch(line));

test('each metric of Kubernetes is either served or absent for a reason', () => {
  const served = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
  const recorded = Object.keys(facts.metrics);
  const absent = Object.keys(absentMetrics);
  expect(recorded.filter((name) => !served.includes(name) && !absent.includes(name))).toEqual([]);
  expect(absent.filter((name) => served.includes(name))).toEqual([]);
  expect(absent.filter((name) => !recorded.includes(name))).toEqual([]);
});

test('metrics that Kubernetes has too have its types and labels', () => {
  const wrong: string[] = [];
  const byName = facts.metrics as Record<string, { type: string; labels: string[] }>;
  // Labels that the recorder's distribution added.
  const added = ['system_client', 'ocp_namespace'];
  for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const recorded = byName[name];
    if (!recorded) continue;
    if (recorded.type !== type) wrong.push(`${name} is a ${type}`);
    const sample = new RegExp(`^${name}(?:_count)?(?:\\{(.*)\\})? `, 'm').exec(text)?.[1] ?? '';
    const labels = [...sample.matchAll(/(\w+)="/g)].map(([, label]) => label).sort();
    const expected = recorded.labels.filter((label) => !added.includes(label)).sort();
    if (sample && labels.join() !== expected.join()) wrong.push(`${name} has ${labels}, not ${expected}`);
  }
  expect(wrong).toEqual([]);
});
