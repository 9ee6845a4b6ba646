import { expect, test } from 'vitest';
import { Metrics } from '../../machinery/metrics.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { WorkQueue } from './work-queue.ts';
import { workQueueMetrics } from './work-queue-metrics.ts';

test("a queue has client-go's metrics", async () => {
  const [metrics, clock] = [new Metrics(), new VirtualClock()];
  const queue = new WorkQueue({ clock, metrics: workQueueMetrics(metrics, clock, 'job') });
  const value = (name: string) =>
    Number(new RegExp(`^workqueue_${name}\\{name="job"\\} (.*)$`, 'm').exec(metrics.text())?.[1]);
  queue.add('a');
  queue.add('a');
  queue.add('b');
  expect([value('adds_total'), value('depth')]).toEqual([2, 2]);
  await clock.advance(2_000);
  const first = await queue.next();
  expect(first).toBe('a');
  queue.add('a');
  await clock.advance(3_000);
  await queue.next();
  expect([value('queue_duration_seconds_sum'), value('queue_duration_seconds_count')]).toEqual([7, 2]);
  expect([value('unfinished_work_seconds'), value('longest_running_processor_seconds')]).toEqual([3, 3]);
  queue.done('a');
  queue.retry('b');
  queue.done('b');
  expect([value('work_duration_seconds_sum'), value('work_duration_seconds_count')]).toEqual([3, 2]);
  expect([value('adds_total'), value('depth'), value('retries_total')]).toEqual([3, 1, 1]);
  queue.close();
});
