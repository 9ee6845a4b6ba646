import { describe, expect, test } from 'vitest';
import bootstrap from '../../../facts/bootstrap.json' with { type: 'json' };
import type { FlowSchema, PriorityLevelConfiguration } from '../../api/api.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { requestInfo } from '../request/request-info.ts';
import { PriorityLevels } from './levels.ts';
import { Utilization } from './utilization.ts';

const objects = bootstrap.objects as unknown as Record<string, never[]>;
const path = '/apis/flowcontrol.apiserver.k8s.io/v1';
const schemas: readonly FlowSchema[] = objects[`${path}/flowschemas`] ?? [];
const configured: readonly PriorityLevelConfiguration[] = objects[`${path}/prioritylevelconfigurations`] ?? [];

const levelsAt = (clock: VirtualClock) =>
  new PriorityLevels(clock, 600, new Utilization(new Metrics(), () => clock.monotonic(), 600));
const defaults = (clock = new VirtualClock()) => {
  const levels = levelsAt(clock);
  levels.configure(schemas, configured);
  return levels;
};
const named = (levels: PriorityLevels) => new Map([...levels.levels].map((level) => [level.name, level]));

describe('seats of the default levels', () => {
  test.each([
    { name: 'exempt', nominal: 0, least: 0 },
    { name: 'system', nominal: 74, least: 50 },
    { name: 'node-high', nominal: 98, least: 73 },
    { name: 'leader-election', nominal: 25, least: 25 },
    { name: 'workload-high', nominal: 98, least: 49 },
    { name: 'workload-low', nominal: 245, least: 24 },
    { name: 'global-default', nominal: 49, least: 24 },
    { name: 'catch-all', nominal: 13, least: 13 },
  ])('$name has $nominal, and keeps $least', ({ name, nominal, least }) =>
    expect(named(defaults()).get(name)).toMatchObject({ nominal, least }),
  );

  test('are lent by levels that need none', async () => {
    const clock = new VirtualClock();
    const levels = defaults(clock);
    const busy = named(levels).get('global-default');
    busy?.demand.set(400);
    for (let i = 0; i < 5; i++) {
      await clock.advance(10_000);
      levels.adjust();
    }
    const now = named(levels);
    expect(now.get('global-default')?.queues.limit).toBeGreaterThan(250);
    for (const { least, most, queues } of now.values()) {
      expect(queues.limit).toBeGreaterThanOrEqual(least);
      expect(queues.limit).toBeLessThanOrEqual(Math.max(most, queues.limit === least ? least : 0) + 1);
    }
  });
});

describe('a request', () => {
  const of = (method: string, url: string, name: string, groups: string[] = ['system:authenticated']) => {
    const { pathname, searchParams } = new URL(url, 'http://x');
    const flow = defaults().classify(requestInfo(method, pathname, searchParams), { name, groups });
    return `${flow.schema.metadata.name} ${flow.level.name} ${flow.distinguisher}`.trim();
  };
  const pods = '/api/v1/namespaces/default/pods';
  const lease = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x';
  test.each([
    {
      who: 'an administrator',
      flow: of('GET', pods, 'admin', ['system:masters', 'system:authenticated']),
      is: 'exempt exempt',
    },
    { who: 'a probe', flow: of('GET', '/livez', 'system:anonymous', ['system:unauthenticated']), is: 'probes exempt' },
    { who: 'a user', flow: of('GET', pods, 'ann'), is: 'global-default global-default ann' },
    {
      who: 'somebody unknown',
      flow: of('GET', pods, 'system:anonymous', ['system:unauthenticated']),
      is: 'global-default global-default system:anonymous',
    },
    {
      who: 'the scheduler',
      flow: of('GET', pods, 'system:kube-scheduler'),
      is: 'kube-scheduler workload-high default',
    },
    {
      who: "the scheduler's lease",
      flow: of('PUT', lease, 'system:kube-scheduler'),
      is: 'system-leader-election leader-election system:kube-scheduler',
    },
    {
      who: "a node's heartbeat",
      flow: of('PUT', '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n', 'system:node:n', [
        'system:nodes',
        'system:authenticated',
      ]),
      is: 'system-node-high node-high system:node:n',
    },
    {
      who: 'a node',
      flow: of('GET', pods, 'system:node:n', ['system:nodes', 'system:authenticated']),
      is: 'system-nodes system system:node:n',
    },
    {
      who: 'an account of the system',
      flow: of('GET', pods, 'system:serviceaccount:kube-system:x', ['system:serviceaccounts', 'system:authenticated']),
      is: 'kube-system-service-accounts workload-high default',
    },
    {
      who: 'another account',
      flow: of('GET', pods, 'system:serviceaccount:default:x', ['system:serviceaccounts', 'system:authenticated']),
      is: 'service-accounts workload-low system:serviceaccount:default:x',
    },
  ])('of $who is of $is', ({ flow, is }) => expect(flow).toBe(is));
});

describe('configuration', () => {
  test('without objects has the mandatory levels, which take all requests', () => {
    const levels = levelsAt(new VirtualClock());
    expect([...named(levels).keys()].sort()).toEqual(['catch-all', 'exempt']);
    const flow = levels.classify(requestInfo('GET', '/api/v1/pods', new URLSearchParams()), { name: 'x', groups: [] });
    expect(flow.level.name).toBe('catch-all');
  });

  test('schemas whose level does not exist are passed over', () => {
    const levels = levelsAt(new VirtualClock());
    levels.configure(
      schemas,
      configured.filter(({ metadata }) => metadata.name !== 'global-default'),
    );
    const flow = levels.classify(requestInfo('GET', '/api/v1/pods', new URLSearchParams()), {
      name: 'ann',
      groups: ['system:authenticated'],
    });
    expect(flow.schema.metadata.name).toBe('catch-all');
  });

  test('a removed level serves its waiting requests', () => {
    const levels = defaults();
    const level = named(levels).get('system');
    const outcome = level?.queues.start({
      width: { seats: 1, finalSeats: 0, additionalMs: 0 },
      hash: 0n,
      schema: 's',
      distinguisher: '',
      user: 'u',
      patienceMs: 1,
      signal: new AbortController().signal,
    });
    levels.configure([], []);
    expect(named(levels).get('system')?.isQuiescing).toBe(true);
    if (outcome && 'release' in outcome) outcome.release();
    levels.configure([], []);
    expect(named(levels).has('system')).toBe(false);
  });
});
