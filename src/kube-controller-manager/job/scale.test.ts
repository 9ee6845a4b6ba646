import { describe, expect, test } from 'vitest';
import { scale } from './scale.ts';
import { job, nowMs, type PodCase, pod, view } from './test-jobs.ts';
import { look } from './view.ts';

const indexed = { completionMode: 'Indexed' as const, completions: 4 };
const perIndex = { ...indexed, backoffLimitPerIndex: 3 };
const ended = (uid: string, phase: 'Failed' | 'Succeeded', more: Partial<PodCase> = {}): PodCase => ({
  uid,
  phase,
  endedSecondsAgo: 100,
  ...more,
});

interface Case {
  readonly case: string;
  readonly of: ReturnType<typeof job>;
  readonly pods?: readonly PodCase[];
  readonly remove?: readonly string[];
  /** Indexes, -1 for none. */
  readonly create?: readonly number[];
  readonly after?: number;
}

const cases: readonly Case[] = [
  { case: 'nothing runs', of: job(), create: [-1, -1] },
  { case: 'one is missing', of: job(), pods: [{ uid: 'a' }], create: [-1] },
  { case: 'fewer completions are left than may run', of: job({}, { succeeded: 2 }), create: [-1] },
  { case: 'all are done', of: job({}, { succeeded: 3 }), create: [] },
  { case: 'too many run', of: job({ parallelism: 1 }), pods: [{ uid: 'a', ready: true }, { uid: 'b' }], remove: ['b'] },
  { case: 'suspended', of: job({ suspend: true }), pods: [{ uid: 'a' }, { uid: 'b' }], remove: ['a', 'b'] },
  {
    case: 'no number of completions, one success',
    of: job({ completions: undefined }),
    pods: [ended('a', 'Succeeded'), { uid: 'b' }],
    create: [],
  },
  {
    case: 'a failure 5 s ago',
    of: job(),
    pods: [ended('a', 'Failed', { endedSecondsAgo: 5 })],
    create: [],
    after: 5_000,
  },
  {
    case: 'two failures, the last 5 s ago',
    of: job(),
    pods: [ended('a', 'Failed'), ended('b', 'Failed', { endedSecondsAgo: 5 })],
    create: [],
    after: 15_000,
  },
  {
    case: 'a failure before a success',
    of: job(),
    pods: [ended('a', 'Failed', { endedSecondsAgo: 5 }), ended('b', 'Succeeded', { endedSecondsAgo: 1 })],
    create: [-1, -1],
  },
  { case: 'terminating pods are replaced', of: job(), pods: [{ uid: 'a', deleted: true }], create: [-1, -1] },
  {
    case: 'terminating pods are waited for',
    of: job({ podReplacementPolicy: 'Failed' }),
    pods: [{ uid: 'a', deleted: true }],
    create: [-1],
  },
  {
    case: 'indexes in order, without those taken',
    of: job({ ...indexed, parallelism: 3 }, { completedIndexes: '1' }),
    pods: [{ uid: 'a', index: 0 }],
    create: [2, 3],
  },
  {
    case: 'one index twice',
    of: job(indexed),
    pods: [
      { uid: 'a', index: 0 },
      { uid: 'b', index: 0, ready: true },
    ],
    remove: ['a'],
  },
  {
    case: 'an index out of range',
    of: job(indexed),
    pods: [
      { uid: 'a', index: 4 },
      { uid: 'b', index: 0 },
    ],
    remove: ['a'],
  },
  { case: 'a pod without an index', of: job(indexed), pods: [{ uid: 'a' }, { uid: 'b', index: 0 }], remove: ['a'] },
  {
    case: 'an index that waits does not hold up another',
    of: job({ ...perIndex, parallelism: 2 }),
    pods: [ended('a', 'Failed', { index: 0, endedSecondsAgo: 5, failures: 0 })],
    create: [1],
    after: 5_000,
  },
  {
    case: 'an index that has waited',
    of: job({ ...perIndex, parallelism: 1 }),
    pods: [ended('a', 'Failed', { index: 0, failures: 2, ignored: 1 })],
    create: [0],
  },
  {
    case: 'an index that failed permanently',
    of: job({ ...perIndex, parallelism: 1 }, { failedIndexes: '0' }),
    create: [1],
  },
];

describe('scale', () => {
  test.each(cases)('$case', ({ of, pods = [], remove = [], create = [], after }) => {
    const scaling = scale(view(of, pods));
    expect(scaling.remove.map(({ metadata }) => metadata.uid)).toEqual(remove);
    expect(scaling.create.map(({ index = -1 }) => index)).toEqual(create);
    expect(scaling.after).toBe(after);
  });

  test('500 at once are the most', () => {
    expect(scale(view(job({ parallelism: 2_000, completions: 5_000 }))).create).toHaveLength(500);
  });

  test('a replacement has the pod whose failures it continues', () => {
    const pods = [
      ended('first', 'Failed', { index: 0, failures: 0, endedSecondsAgo: 300 }),
      ended('second', 'Failed', { index: 0, failures: 1, endedSecondsAgo: 100 }),
    ];
    const [{ replaces }] = scale(view(job({ ...perIndex, parallelism: 1 }), pods)).create;
    expect(replaces?.metadata.uid).toBe('second');
  });
});

describe('a Job with very many pods', () => {
  test('removes pods without an index in linear time', () => {
    const pods = Array.from({ length: 50_000 }, (_, i) => ({ uid: `p${i}` }));
    const seen = view(job(indexed), pods);
    const started = process.threadCpuUsage();
    expect(scale(seen).remove).toHaveLength(500);
    // Comparing each with all others takes 10 s and more.
    expect(process.threadCpuUsage(started).user).toBeLessThan(2_000_000);
  });

  const failed = pod(ended('a', 'Failed'));
  test('has more failed pods than a call can have arguments', () => {
    const pods = Array.from({ length: 200_000 }, () => failed);
    const { remove, create, after } = scale(look(job(), pods, nowMs));
    expect({ remove, create, after }).toEqual({ remove: [], create: [], after: 500_000 });
  });
});
