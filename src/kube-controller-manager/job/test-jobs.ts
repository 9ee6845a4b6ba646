// Jobs and pods for the tables of cases of this folder.

import type { Job, Pod } from '../../api/api.ts';
import { look, trackingFinalizer, type View } from './view.ts';

export const nowMs = Date.parse('2026-01-01T12:00:00Z');
export const secondsAgo = (seconds: number): string => new Date(nowMs - seconds * 1000).toISOString();

export const job = (spec: Partial<Job['spec']> = {}, status: Job['status'] = {}): Job =>
  ({
    metadata: { name: 'work', namespace: 'default', uid: 'job' },
    spec: { parallelism: 2, completions: 3, backoffLimit: 6, template: { spec: { containers: [] } }, ...spec },
    status: { startTime: secondsAgo(60), ...status },
  }) as unknown as Job;

export interface PodCase {
  readonly uid: string;
  readonly phase?: string;
  readonly index?: number;
  /** Being deleted. */
  readonly deleted?: boolean;
  readonly released?: boolean;
  readonly endedSecondsAgo?: number;
  readonly exitCode?: number;
  readonly restarts?: number;
  readonly failures?: number;
  readonly ignored?: number;
  readonly ready?: boolean;
}

export function pod(given: PodCase): Pod {
  const { uid, phase = 'Running', index, deleted, released, endedSecondsAgo, exitCode = 0, restarts = 0 } = given;
  const annotations = {
    ...(index !== undefined && { 'batch.kubernetes.io/job-completion-index': String(index) }),
    ...(given.failures !== undefined && { 'batch.kubernetes.io/job-index-failure-count': String(given.failures) }),
    ...(given.ignored !== undefined && {
      'batch.kubernetes.io/job-index-ignored-failure-count': String(given.ignored),
    }),
  };
  const terminated = endedSecondsAgo !== undefined && { exitCode, finishedAt: secondsAgo(endedSecondsAgo) };
  return {
    metadata: {
      name: uid,
      namespace: 'default',
      uid,
      annotations,
      creationTimestamp: secondsAgo(600),
      ...(deleted && { deletionTimestamp: secondsAgo(1) }),
      ...(!released && { finalizers: [trackingFinalizer] }),
    },
    spec: { nodeName: 'node' },
    status: {
      phase,
      conditions: [{ type: 'Ready', status: given.ready ? 'True' : 'False' }],
      containerStatuses: [{ name: 'main', restartCount: restarts, state: terminated ? { terminated } : {} }],
    },
  } as unknown as Pod;
}

export const view = (of: Job, pods: readonly PodCase[] = []): View => look(of, pods.map(pod), nowMs);
