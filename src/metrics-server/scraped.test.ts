import { expect, test } from 'vitest';
import { readScraped } from './scraped.ts';

const text = `# HELP node_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the node in core-seconds
# TYPE node_cpu_usage_seconds_total counter
node_cpu_usage_seconds_total 40.25 1700000000123
node_memory_working_set_bytes 2.5e+09 1700000000123
container_cpu_usage_seconds_total{container="c",namespace="default",pod="web"} 1.5 1700000000100
container_cpu_usage_seconds_total{container="d",namespace="default",pod="web"} 2 1700000000100
container_memory_working_set_bytes{container="c",namespace="default",pod="web"} 4096 1700000000100
container_memory_working_set_bytes{container="d",namespace="default",pod="web"} 8192
container_start_time_seconds{container="c",namespace="default",pod="web"} 1699999000.5
container_cpu_usage_seconds_total{container="half",namespace="default",pod="half"} 2
container_swap_usage_bytes{container="c",namespace="default",pod="web"} 7
pod_cpu_usage_seconds_total{namespace="default",pod="web"} 3.5 1700000000100
scrape_error 0
`;

test('samples of the node and of each container', () => {
  const { node, pods } = readScraped(text, 5);
  expect(node).toEqual({ cpuSeconds: 40.25, memoryBytes: 2.5e9, atMs: 1_700_000_000_123 });
  expect(pods.get('default/web')).toEqual(
    new Map([
      ['c', { cpuSeconds: 1.5, memoryBytes: 4096, atMs: 1_700_000_000_100, startMs: 1_699_999_000_500 }],
      ['d', { cpuSeconds: 2, memoryBytes: 8192, atMs: 1_700_000_000_100 }],
    ]),
  );
  expect(pods.get('default/half')?.size).toBe(0);
});

test.each([
  ['nothing', ''],
  ['no exposition', '<html>404</html>'],
  ['a family of JavaScript', 'constructor 1\n__proto__ 1'],
])('%s has no samples', (_, odd) => expect(readScraped(odd, 5)).toEqual({ node: undefined, pods: new Map() }));

test('a sample without a time has that of the reading', () => {
  const line = 'container_cpu_usage_seconds_total{container="c",namespace="a",pod="b\\"x"} 2\n';
  const both = line + line.replace('cpu_usage_seconds_total', 'memory_working_set_bytes');
  expect(readScraped(both, 5).pods.get('a/b"x')?.get('c')).toEqual({ cpuSeconds: 2, memoryBytes: 2, atMs: 5 });
});

test.each([
  ['letters', (size: number) => 'a'.repeat(size)],
  ['open quotes', (size: number) => 'a="'.repeat(size / 3)],
  ['escaped quotes', (size: number) => `a="${'\\"a='.repeat(size / 4)}`],
  ['braces', (size: number) => '} '.repeat(size / 2)],
  ['labels', (size: number) => 'a="b",'.repeat(size / 6)],
  ['lines', (size: number) => '} 1\ncontainer_cpu_usage_seconds_total{pod="a"'.repeat(size / 45)],
])('a hostile line of %s is read in linear time', (_, text) => {
  const beginMs = performance.now();
  readScraped(`container_cpu_usage_seconds_total{${text(1 << 20)}} 1`, 5);
  expect(performance.now() - beginMs).toBeLessThan(1_000);
});
