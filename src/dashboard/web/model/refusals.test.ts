import { expect, test } from 'vitest';
import { refusalsIn } from './refusals.ts';

test('refusals of the server, and answers of another shape', () => {
  const told = {
    timeMs: 5,
    user: 'jane',
    verb: 'create',
    group: 'apps',
    resource: 'deployments',
    subresource: 'scale',
  };
  expect(refusalsIn({ refusals: [{ ...told, by: 'ResourceQuota', message: 'exceeded quota' }] })).toEqual([
    {
      ...{ key: '5 0', timeMs: 5, user: 'jane', verb: 'create', resource: 'deployments/scale.apps', namespace: '' },
      ...{ name: '', message: 'exceeded quota', by: 'ResourceQuota' },
    },
  ]);
  expect(refusalsIn(undefined)).toEqual([]);
  expect(refusalsIn({ refusals: 'none' })).toEqual([]);
  expect(refusalsIn({ refusals: [null, { timeMs: 'x', user: {} }] }).map(({ timeMs, user }) => [timeMs, user])).toEqual(
    [
      ...[
        [0, ''],
        [0, ''],
      ],
    ],
  );
});
