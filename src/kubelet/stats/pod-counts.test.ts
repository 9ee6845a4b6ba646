import { expect, test } from 'vitest';
import { type CountedPod, podCounts } from './pod-counts.ts';

const samples = (pods: readonly CountedPod[], mirrorPods: number) =>
  podCounts(pods, mirrorPods)
    .split('\n')
    .filter((line) => line && !line.startsWith('#') && !line.endsWith(' 0'));

const web = { isStatic: true, config: 'desired', lifecycle: 'sync' } as const;

test('a static pod runs', () =>
  expect(samples([web], 1)).toEqual([
    'kubelet_desired_pods{static="true"} 1',
    'kubelet_active_pods{static="true"} 1',
    'kubelet_mirror_pods 1',
    'kubelet_working_pods{config="desired",lifecycle="sync",static="true"} 1',
  ]));

test('its manifest is gone, and its mirror pod waits for its end', () =>
  expect(samples([{ ...web, config: 'orphan', lifecycle: 'terminating' }], 1)).toEqual([
    'kubelet_mirror_pods 1',
    'kubelet_working_pods{config="orphan",lifecycle="terminating",static="true"} 1',
  ]));

test('pods of the API, and of another kubelet', () =>
  expect(
    samples(
      [
        { isStatic: false, config: 'desired', lifecycle: 'sync' },
        { isStatic: false, config: 'desired', lifecycle: 'terminated' },
        { isStatic: false, config: 'runtime_only', lifecycle: 'terminating' },
      ],
      0,
    ),
  ).toEqual([
    'kubelet_desired_pods{static=""} 2',
    'kubelet_active_pods{static=""} 1',
    'kubelet_working_pods{config="desired",lifecycle="sync",static=""} 1',
    'kubelet_working_pods{config="runtime_only",lifecycle="terminating",static="unknown"} 1',
    'kubelet_working_pods{config="desired",lifecycle="terminated",static=""} 1',
  ]));
