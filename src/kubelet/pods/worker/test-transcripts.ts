// For tests of a pod's steps: transcripts of actions on a node in memory, each with the effects that follow.

import { describe, expect, test } from 'vitest';
import type { Pod } from '../../../api/api.ts';
import type { PodEvent, PodWorker } from './pod-worker.ts';
import { deleted, podOf, TestNode } from './test-node.ts';

export interface Case {
  readonly case: string;
  readonly pod?: Pod;
  /** Before the transcript begins. */
  readonly given?: (node: TestNode) => void;
  /** Each action with the effects that follow. */
  readonly lines: readonly (readonly [(node: TestNode) => string[], readonly string[]])[];
  readonly state: PodWorker['state'];
}

export const works = (node: TestNode) => node.complete();
export const fails = (node: TestNode) => node.complete('fails');
export const throws = (node: TestNode) => node.complete('throws');
export const timer = (node: TestNode) => node.fireTimer();
export const created = (node: TestNode) => node.update(node.pod);
export const send = (event: PodEvent) => (node: TestNode) => node.send(event);
export const after = (ms: number, then: (node: TestNode) => string[]) => (node: TestNode) => {
  node.elapsedMs += ms;
  return then(node);
};
export const deletion = (seconds?: number) => (node: TestNode) => node.update(deleted(node.pod, seconds));
export const removal = (node: TestNode) => node.remove();
export const withImage = (image: string) => (node: TestNode) => {
  const { containers } = node.pod.spec;
  return node.update({ ...node.pod, spec: { ...node.pod.spec, containers: [{ ...containers[0], image }] } });
};
export const changed = send({ on: 'changed' });
export const eviction = send({
  on: 'evicted',
  message: 'low on memory',
  manner: { graceSeconds: 0, isDisruption: true },
});

/** The pod runs, and the kubelet has nothing to do. */
export function running(node: TestNode): void {
  node.update(node.pod);
  node.settle();
  node.update(node.pod); // as the API has it now
  node.settle();
  expect(node.running().length).toBe(node.pod.spec.containers.length);
}

export function exits(node: TestNode, name: string, exitCode: number): string[] {
  const { length } = node.effects;
  node.exit(name, exitCode);
  return node.effects.slice(length).map((effect) => effect.do);
}

export function testTranscripts(name: string, cases: readonly Case[]): void {
  describe(name, () => {
    test.each(cases)('$case', ({ pod = podOf(), given, lines, state }) => {
      const node = new TestNode(pod);
      given?.(node);
      for (const [index, [action, effects]] of lines.entries())
        expect(action(node), `after line ${index + 1}`).toEqual(effects);
      expect(node.worker.state).toBe(state);
    });
  });
}
