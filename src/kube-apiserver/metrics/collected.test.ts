import { afterAll, beforeAll, expect, test } from 'vitest';
import facts from '../../../facts/metrics-apiserver.json' with { type: 'json' };
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let text: string;

beforeAll(async () => {
  server = await startTestServer({ namespaces: ['shop'] });
  const { url } = await server.listen({ port: 0 });
  const metadata = { name: 'web', namespace: 'shop' };
  await server.call('POST', '/api/v1/namespaces/shop/services', {
    ...{ apiVersion: 'v1', kind: 'Service', metadata },
    spec: { type: 'NodePort', ports: [{ port: 80 }] },
  });
  await server.call('GET', '/api/v1/namespaces/shop/configmaps/absent');
  await fetch(`${url}/version`);
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

test('metrics that Kubernetes has too have its types and labels', () => {
  const wrong: string[] = [];
  const byName = facts.metrics as Record<string, { type: string; labels: string[] }>;
  // Labels that the recorder's distribution added.
  const added = ['system_client', 'quantile'];
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
