import { expect, test } from 'vitest';
import { activityOf, readMetrics } from './metrics.ts';

const at = (timeMs: number, scale: number) =>
  readMetrics(
    `# HELP apiserver_request_total help
apiserver_request_total{code="200",resource="pods",verb="LIST"} ${10 * scale}
apiserver_request_total{code="200",resource="pods",verb="WATCH"} ${99 * scale}
apiserver_request_total{code="500",resource="pods",subresource="status",verb="PATCH"} ${2 * scale}
apiserver_request_duration_seconds_bucket{verb="LIST",le="0.1"} ${50 * scale}
apiserver_request_duration_seconds_bucket{verb="LIST",le="0.2"} ${100 * scale}
apiserver_request_duration_seconds_bucket{verb="LIST",le="+Inf"} ${100 * scale}
apiserver_longrunning_requests{verb="WATCH"} 7
etcd_request_duration_seconds_sum{operation="get"} ${0.4 * scale}
etcd_request_duration_seconds_count{operation="get"} ${4 * scale}
workqueue_depth{name="a \\"b\\""} 3
workqueue_adds_total{name="a \\"b\\""} ${6 * scale}
unwanted_total 5
apiserver_storage_size_bytes{storage_cluster_id="etcd-0"} 1.5e+06
`,
    timeMs,
  );

test('rates between two readings', () => {
  const activity = activityOf(at(0, 1), at(2_000, 2));
  expect(activity).toMatchObject({
    ...{ requestsPerSecond: 6, errorsPerSecond: 1, watches: 7, storeBytes: 1_500_000, hasScheduler: false },
    ...{ p50: 0.1, storeSeconds: 0.1, hasControllers: true },
    busiest: [
      { verb: 'LIST', resource: 'pods', perSecond: 5, errorsPerSecond: 0 },
      { verb: 'PATCH', resource: 'pods/status', perSecond: 1, errorsPerSecond: 1 },
    ],
    queues: [{ name: 'a "b"', depth: 3, addsPerSecond: 3, retriesPerSecond: 0 }],
  });
  expect(activity.p99).toBeCloseTo(0.198);
});

test('a counter that began again does not count backwards', () =>
  expect(activityOf(at(0, 5), at(1_000, 1)).requestsPerSecond).toBe(0));

test('no requests have no latency', () => expect(activityOf(at(0, 1), at(1_000, 1)).p99).toBeUndefined());
