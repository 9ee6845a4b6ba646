import { describe, expect, test } from 'vitest';
import { exponentialBuckets, linearBuckets, Metrics, perRegistry } from './metrics.ts';

const linesOf = (metrics: Metrics) =>
  metrics
    .text()
    .split('\n')
    .filter((line) => line && !line.startsWith('#'));

test('each type has its form', () => {
  let nowMs = 0;
  const metrics = new Metrics();
  metrics.counter('hits_total', 'Hits.').add(2, { path: 'a "b"\\\n' });
  metrics.gauge('size', 'Size.').set(-1.5);
  const histogram = metrics.histogram('ms', 'Time.', [1, 2.5]).at({ verb: 'GET' });
  for (const value of [0.5, 2, 2.5, 3]) histogram.observe(value);
  const summary = metrics.summary('s', 'Time.', { maxAgeMs: 100, now: () => nowMs }).at();
  for (let i = 1; i <= 100; i++) summary.observe(i);
  const [half, most] = metrics.text().match(/(?<=s\{quantile="0\.(5|99)"\} )\S+/g) ?? [];
  expect(Number(half) / 50).toBeCloseTo(1, 1);
  expect(Number(most) / 99).toBeCloseTo(1, 1);
  nowMs = 200;
  expect(metrics.text()).toBe(
    [
      '# HELP hits_total Hits.',
      '# TYPE hits_total counter',
      'hits_total{path="a \\"b\\"\\\\\\n"} 2',
      '# HELP size Size.',
      '# TYPE size gauge',
      'size -1.5',
      '# HELP ms Time.',
      '# TYPE ms histogram',
      'ms_bucket{verb="GET",le="1"} 1',
      'ms_bucket{verb="GET",le="2.5"} 3',
      'ms_bucket{verb="GET",le="+Inf"} 4',
      'ms_sum{verb="GET"} 8',
      'ms_count{verb="GET"} 4',
      '# HELP s Time.',
      '# TYPE s summary',
      's{quantile="0.5"} NaN',
      's{quantile="0.9"} NaN',
      's{quantile="0.99"} NaN',
      's_sum 5050',
      's_count 100',
      '',
    ].join('\n'),
  );
});

test('a name, and equal labels, lead to the same series', () => {
  const metrics = new Metrics();
  const labels = { a: '1' };
  metrics.counter('x', 'X.').add(1, labels);
  metrics.counter('x', 'X.').add(1, labels);
  metrics.counter('x', 'X.').at({ a: '1' }).add(3);
  metrics.counter('x', 'X.').total(7, { a: '2' });
  expect(linesOf(metrics)).toEqual(['x{a="1"} 5', 'x{a="2"} 7']);
});

test('a cleared gauge has only the series that are set afterwards', () => {
  const metrics = new Metrics();
  const gauge = metrics.gauge('x', 'X.');
  const labels = { a: '1' };
  gauge.set(1, labels);
  gauge.set(2, { a: '2' });
  gauge.clear();
  gauge.set(3, labels);
  expect(linesOf(metrics)).toEqual(['x{a="1"} 3']);
});

test('bounds of buckets are written as Go writes them', () => {
  const metrics = new Metrics();
  metrics.histogram('x', 'X.', [...exponentialBuckets(1e-8, 10, 10), 950_000, 1_050_000]).observe(1);
  const bounds = [...metrics.text().matchAll(/le="([^"]*)"/g)].map(([, bound]) => bound);
  const small = ['1e-08', '1e-07', '1e-06', '1e-05', '0.0001', '0.001', '0.01', '0.1', '1', '10'];
  expect(bounds).toEqual([...small, '950000', '1.05e+06', '+Inf']);
});

test('buckets', () => {
  expect(exponentialBuckets(0.001, 2, 5)).toEqual([0.001, 0.002, 0.004, 0.008, 0.016]);
  expect(exponentialBuckets(5e-6, 2, 3)).toEqual([5e-6, 1e-5, 2e-5]);
  expect(linearBuckets(50_000, 100_000, 3)).toEqual([50_000, 150_000, 250_000]);
});

test('metrics of a part are made once for each registry', () => {
  const part = perRegistry((metrics) => ({ hits: metrics.counter('hits', 'Hits.') }));
  const [one, two] = [new Metrics(), new Metrics()];
  expect(part(one)).toBe(part(one));
  part(one).hits.add();
  part(two);
  expect(linesOf(one)).toEqual(['hits 1']);
  expect(linesOf(two)).toEqual([]);
});

describe('a selection', () => {
  const metrics = new Metrics();
  const hits = metrics.counter('hits_total', 'Hits.');
  hits.add(1, { verb: 'GET', path: 'a,verb="x' });
  hits.add(2, { verb: 'GET', path: 'b' });
  hits.add(4, { verb: 'PUT', path: 'b' });
  const times = metrics.histogram('seconds', 'Time.', [1]);
  times.observe(0.5, { verb: 'GET' });
  times.observe(3, { verb: 'PUT' });
  metrics.summary('recent', 'Time.', { maxAgeMs: 100, now: () => 0 }).observe(1, { verb: 'GET' });
  const text = (names: string[], labels: Record<string, string[]>) =>
    metrics
      .text({
        ...(names.length > 0 && { names: new Set(names) }),
        labels: new Map(Object.entries(labels).map(([name, kept]) => [name, new Set(kept)])),
      })
      .split('\n')
      .filter((line) => line && !line.startsWith('#'));

  test('has the named families alone', () => expect(text(['hits_total', 'other'], {}).length).toBe(3));

  test('adds up series that differ in labels that are not kept', () => {
    expect(text(['hits_total'], { hits_total: ['verb'] })).toEqual([
      'hits_total{verb="GET"} 3',
      'hits_total{verb="PUT"} 4',
    ]);
    expect(text(['hits_total'], { hits_total: [''] })).toEqual(['hits_total 7']);
    expect(text(['seconds'], { seconds: [] })).toEqual([
      'seconds_bucket{le="1"} 1',
      'seconds_bucket{le="+Inf"} 2',
      'seconds_sum 3.5',
      'seconds_count 2',
    ]);
  });

  test('leaves summaries as they are', () =>
    expect(text(['recent'], { recent: [] })).toContain('recent_count{verb="GET"} 1'));

  test('changes no series', () =>
    expect(text([], {}).filter((line) => line.startsWith('hits_total{'))).toHaveLength(3));
});
