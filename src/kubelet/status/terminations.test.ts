import { expect, test } from 'vitest';
import type { PodStatus } from '../../api/api.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { terminationCounter } from './terminations.ts';

const ended = (exitCode: number) => ({ state: { terminated: { exitCode, reason: 'Error' } } });
const running = { state: { running: {} } };
const statusOf = (list: string, container: object) =>
  ({ [list]: [{ name: 'a', ...container }] }) as unknown as PodStatus;

test.each([
  ['initContainerStatuses', 'init_container'],
  ['containerStatuses', 'container'],
  ['ephemeralContainerStatuses', 'ephemeral_container'],
])('each end among %s is counted once', (list, type) => {
  const metrics = new Metrics();
  const count = terminationCounter(metrics);
  const steps = [running, ended(139), ended(139), running, ended(139)].map((container) => statusOf(list, container));
  for (const [i, next] of steps.entries()) count(steps[i - 1], next);
  expect(metrics.text()).toContain(
    `kubelet_terminated_containers_total{container_type="${type}",exit_code="139",reason="Error"} 2\n`,
  );
});
