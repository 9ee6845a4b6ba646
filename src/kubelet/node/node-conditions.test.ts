import { describe, expect, test } from 'vitest';
import type { Node } from '../../api/api.ts';
import { type ConditionInputs, conditionEvents, nodeConditions } from './node-conditions.ts';

const now = Date.parse('2026-01-01T12:00:00Z');
const before = '2026-01-01T11:00:00Z';

/** A node whose conditions have these statuses: "Ready=True MemoryPressure=False". */
const nodeWith = (text: string): Node =>
  ({
    status: {
      conditions: text
        .split(' ')
        .filter(Boolean)
        .map((one) => ({ type: one.split('=')[0], status: one.split('=')[1], lastTransitionTime: before })),
    },
  }) as Node;

const conditions = (inputs: Partial<ConditionInputs>) =>
  nodeConditions({ current: undefined, pressure: new Set(), now, ...inputs });
const one = (type: string, inputs: Partial<ConditionInputs>) => conditions(inputs).find((each) => each.type === type);

test('Ready comes last', () =>
  expect(conditions({}).map(({ type, status }) => `${type}=${status}`)).toEqual([
    'MemoryPressure=False',
    'DiskPressure=False',
    'PIDPressure=False',
    'Ready=True',
  ]));

describe('Ready', () => {
  const down = 'container runtime is down: connect ENOENT';
  const network =
    'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:no CIDR';
  test.each<[Partial<ConditionInputs>, string, string, string]>([
    [{}, 'True', 'KubeletReady', 'kubelet is posting ready status'],
    [{ pressure: new Set(['MemoryPressure']) }, 'True', 'KubeletReady', 'kubelet is posting ready status'],
    [{ down: 'connect ENOENT' }, 'False', 'KubeletNotReady', down],
    [{ network: 'no CIDR' }, 'False', 'KubeletNotReady', network],
    [
      { runtime: 'no cgroups' },
      'False',
      'KubeletNotReady',
      'container runtime not ready: RuntimeReady=false reason:RuntimeNotReady message:no cgroups',
    ],
    [
      { storage: 'CSINode is not yet initialized' },
      ...(['False', 'KubeletNotReady', 'CSINode is not yet initialized'] as const),
    ],
    [{ pleg: 'relist failed' }, 'False', 'KubeletNotReady', 'PLEG is not healthy: relist failed'],
    [
      { network: 'no CIDR', down: 'connect ENOENT', pleg: 'late' },
      'False',
      'KubeletNotReady',
      `[${down}, PLEG is not healthy: late, ${network}]`,
    ],
  ])('%j', (inputs, status, reason, message) =>
    expect(one('Ready', inputs)).toMatchObject({ status, reason, message }),
  );
});

describe('pressure', () => {
  test.each([
    ['MemoryPressure', 'KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
    ['DiskPressure', 'KubeletHasDiskPressure', 'kubelet has disk pressure'],
    ['PIDPressure', 'KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
  ])('%s', (type, reason, message) =>
    expect(one(type, { pressure: new Set([type]) })).toMatchObject({ type, status: 'True', reason, message }),
  );

  test.each([
    ['MemoryPressure', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
    ['DiskPressure', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
    ['PIDPressure', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
  ])('no %s', (type, reason, message) =>
    expect(one(type, {})).toMatchObject({ type, status: 'False', reason, message }),
  );
});

describe('times', () => {
  const heartbeat = '2026-01-01T12:00:00Z';
  test.each([
    ['a new condition', '', heartbeat],
    ['the same status', 'Ready=True', before],
    ['another status', 'Ready=False', heartbeat],
    ['the status that the node controller sets', 'Ready=Unknown', heartbeat],
  ])('%s', (_, current, lastTransitionTime) =>
    expect(one('Ready', { current: nodeWith(current) })).toMatchObject({
      lastHeartbeatTime: heartbeat,
      lastTransitionTime,
    }),
  );
});

describe('events', () => {
  const calm = 'MemoryPressure=False DiskPressure=False PIDPressure=False';
  test.each<[string, Partial<ConditionInputs>, string[]]>([
    [`${calm} Ready=True`, {}, []],
    ['', {}, ['NodeReady']],
    ['', { network: 'none' }, ['NodeNotReady']],
    [`${calm} Ready=True`, { network: 'none' }, ['NodeNotReady']],
    [`${calm} Ready=Unknown`, {}, ['NodeReady']],
    [`${calm} Ready=True`, { pressure: new Set(['MemoryPressure']) }, ['NodeHasInsufficientMemory']],
    ['MemoryPressure=True Ready=True', {}, ['NodeHasSufficientMemory']],
    [`${calm} Ready=True`, { pressure: new Set(['DiskPressure']) }, ['NodeHasDiskPressure']],
    ['DiskPressure=True Ready=True', {}, ['NodeHasNoDiskPressure']],
    ['PIDPressure=True Ready=False', {}, ['NodeHasSufficientPID', 'NodeReady']],
    ['Ready=True', { pressure: new Set(['PIDPressure']) }, []],
  ])('of a node with "%s" that finds %j: %j', (had, inputs, reasons) => {
    const current = nodeWith(had);
    expect(conditionEvents(current, conditions({ ...inputs, current }))).toEqual(reasons);
  });
});
