// Random events in random order. test-node.ts checks at each step that no container is lost or runs twice, that a
// deadline never moves later, that one task runs at a time, and that nothing changes a terminated pod.

import { expect, test } from 'vitest';
import type { Pod } from '../../../api/api.ts';
import fc from '../../../machinery/test-property.ts';
import { containersOf, deleted, type Outcome, podOf, TestNode } from './test-node.ts';

const names = ['a', 'b', 'init', 'sidecar'] as const;
const outcomes: fc.Arbitrary<Outcome> = fc.constantFrom('works', 'works', 'works', 'works', 'fails', 'throws');

type Action = (node: TestNode) => void;

const actions: fc.Arbitrary<Action> = fc.oneof(
  { weight: 120, arbitrary: outcomes.map((outcome) => (node: TestNode) => void node.complete(outcome)) },
  { weight: 30, arbitrary: fc.constant((node: TestNode) => void node.fireTimer()) },
  { weight: 20, arbitrary: fc.constant((node: TestNode) => void node.send({ on: 'changed' })) },
  {
    weight: 30,
    arbitrary: fc.tuple(fc.constantFrom(...names), fc.constantFrom(0, 1, 137)).map(
      ([name, code]) =>
        (node: TestNode) =>
          node.exit(name, code),
    ),
  },
  {
    weight: 10,
    arbitrary: fc.constantFrom(...names).map((name) => (node: TestNode) => {
      for (const { id } of node.running(name)) node.failsLiveness.add(id);
      node.send({ on: 'changed' });
    }),
  },
  {
    weight: 10,
    arbitrary: fc.constant((node: TestNode) => {
      for (const sandbox of node.sandboxes) sandbox.state = 'notready';
      for (const { name } of node.running()) node.exit(name, 137);
      node.send({ on: 'changed' });
    }),
  },
  { weight: 10, arbitrary: fc.constant((node: TestNode) => node.crash()) },
  {
    weight: 10,
    arbitrary: fc.integer({ min: 1, max: 20_000 }).map((ms) => (node: TestNode) => void (node.elapsedMs += ms)),
  },
  {
    weight: 10,
    arbitrary: fc.boolean().map((isRefused) => (node: TestNode) => {
      node.refusal = isRefused ? { reason: 'OutOfcpu', message: 'no CPU' } : undefined;
    }),
  },
  { weight: 10, arbitrary: fc.constant((node: TestNode) => node.isInApi && void node.update(node.pod)) },
  {
    weight: 6,
    arbitrary: fc.integer({ min: 0, max: 60 }).map((seconds) => (node: TestNode) => {
      if (node.isInApi) node.update(deleted(node.pod, seconds));
    }),
  },
  { weight: 3, arbitrary: fc.constant((node: TestNode) => node.isInApi && void node.remove()) },
  {
    weight: 3,
    arbitrary: fc.constant(
      (node: TestNode) =>
        void node.send({ on: 'evicted', message: 'low on memory', manner: { graceSeconds: 1, isDisruption: true } }),
    ),
  },
);

const pods: fc.Arbitrary<Pod> = fc
  .record({
    restartPolicy: fc.constantFrom('Always', 'OnFailure', 'Never'),
    hasInit: fc.boolean(),
    hasSidecar: fc.boolean(),
    activeDeadlineSeconds: fc.constantFrom(undefined, undefined, 30),
  })
  .map(({ restartPolicy, hasInit, hasSidecar, activeDeadlineSeconds }) =>
    podOf({
      restartPolicy,
      activeDeadlineSeconds,
      containers: containersOf('a', 'b'),
      initContainers: [
        ...(hasInit ? containersOf('init') : []),
        ...(hasSidecar ? [{ ...containersOf('sidecar')[0], restartPolicy: 'Always' }] : []),
      ],
    }),
  );

const runs = { numRuns: 500 };

/** Nothing fails any more: completes tasks, lets init containers succeed, and fires timers. */
function heal(node: TestNode): void {
  node.refusal = undefined;
  for (let turn = 0; turn < 60 && !node.isFinished; turn++) {
    node.settle();
    expect(node.task, 'tasks follow each other without end').toBeUndefined();
    if (node.running('init').length > 0) node.exit('init', 0);
    else node.fireTimer();
  }
}

test('no sequence of events loses a container, doubles one, or changes a terminated pod', () => {
  fc.assert(
    fc.property(pods, fc.array(actions, { maxLength: 80 }), (pod, sequence) => {
      const node = new TestNode(pod);
      node.update(pod);
      for (const act of sequence) act(node);
      heal(node);
    }),
    runs,
  );
});

test('a deleted pod is gone in the end, after any sequence of events', () => {
  fc.assert(
    fc.property(pods, fc.array(actions, { maxLength: 60 }), (pod, sequence) => {
      const node = new TestNode(pod);
      node.update(pod);
      for (const act of sequence) act(node);
      if (node.isInApi) node.update(deleted(node.pod));
      heal(node);
      expect(node.isFinished).toBe(true);
      expect(node.isInApi).toBe(false);
      expect(node.containers).toEqual([]);
    }),
    runs,
  );
});

test('once faults stop, a pod runs or has ended', () => {
  fc.assert(
    fc.property(pods, fc.array(actions, { maxLength: 60 }), (pod, sequence) => {
      const node = new TestNode(pod);
      node.update(pod);
      for (const act of sequence) act(node);
      heal(node);
      if (node.worker.state === 'terminated') return;
      expect(['syncing', 'ended']).toContain(node.worker.state);
      if (node.worker.state === 'ended') {
        expect(node.running()).toEqual([]);
        return;
      }
      // A container that completed under its policy does not run again.
      const missing = ['a', 'b'].filter((name) => node.running(name).length === 0);
      const last = (name: string) => node.containers.find((c) => c.name === name);
      const done = missing.filter((name) => {
        const code = last(name)?.exitCode;
        return pod.spec.restartPolicy === 'Never' || (pod.spec.restartPolicy === 'OnFailure' && code === 0);
      });
      expect(missing).toEqual(done);
    }),
    runs,
  );
});
