// Cells, conditions of rows, and warnings about a status.

import { describe, expect, test } from 'vitest';
import { builtinKinds } from '../registry.ts';

const kindOf = (kind: string, version = 'v1') => {
  const found = builtinKinds().find((one) => one.kind === kind && one.version === version);
  if (!found) throw new Error(`no kind ${kind}`);
  return found;
};
const cell = (kind: string, column: string, object: object, version = 'v1') => {
  const { columns, cells } = kindOf(kind, version);
  return cells({ metadata: { name: 'x' }, ...object } as never, 0)[columns.findIndex(({ name }) => name === column)];
};

test.each([
  [{}, '<unknown>'],
  [{ kernelVersion: '6.1' }, '6.1'],
  [{ kernelVersion: '6.1', architecture: 'amd64' }, '6.1 (amd64)'],
])('the kernel of a node with %j', (nodeInfo, text) =>
  expect(cell('Node', 'Kernel-Version', { status: { nodeInfo } })).toBe(text),
);

describe('targets of an autoscaler', () => {
  const resource = (target: object) => ({ type: 'Resource', resource: { name: 'cpu', target } });
  const current = (value: object) => ({ type: 'Resource', resource: { name: 'cpu', current: value } });
  const object = (target: object) => ({ type: 'Object', object: { target } });
  test.each([
    ['no report', resource({ averageValue: '1' }), undefined, 'cpu: <unknown>/1'],
    ['a report without the value', resource({ averageValue: '1' }), current({}), 'cpu: <nil>/1'],
    ['a report of utilization without it', resource({ averageUtilization: 50 }), current({}), 'cpu: <unknown>/50%'],
    ['no target', resource({}), current({ averageUtilization: 5 }), 'cpu: 5%/<auto>'],
    ['an average of an object without a report', object({ averageValue: '1' }), undefined, '<unknown>/1 (avg)'],
    ['an object without the value', object({ value: '1' }), { type: 'Object', object: { current: {} } }, '<nil>/1'],
  ])('with %s', (_, metric, report, text) => {
    const status = report && { currentMetrics: [report] };
    expect(cell('HorizontalPodAutoscaler', 'Targets', { spec: { metrics: [metric] }, status }, 'v2')).toBe(text);
  });
});

test('addresses of an ingress are sorted, each once', () => {
  const ingress = [{ hostname: 'h.test' }, { ip: '10.0.0.1' }, {}, { hostname: 'h.test', ip: '' }];
  expect(cell('Ingress', 'Address', { status: { loadBalancer: { ingress } } })).toBe('10.0.0.1,h.test');
});

test.each([
  ['Running', undefined],
  ['Succeeded', ['Completed', 'True', 'Succeeded', 'The pod has completed successfully.']],
  ['Failed', ['Completed', 'True', 'Failed', 'The pod failed.']],
])('the row of a pod in the phase %s', (phase, values) => {
  const conditions = kindOf('Pod').rowConditions?.({ status: { phase } } as never);
  expect(conditions && Object.values(conditions[0]).map(String)).toEqual(values);
});

describe('an update of the status', () => {
  const balanced = (ip: string) => ({ status: { loadBalancer: { ingress: [{ ip }] } } });
  test.each([
    ['Service', balanced('2001:db8::1'), []],
    ['Service', balanced('2001:DB8::1'), ['status.loadBalancer.ingress[0]']],
    ['Ingress', balanced('2001:DB8::1'), ['status.loadBalancer.ingress[0]']],
    [
      'Pod',
      { status: { podIPs: [{ ip: '::FFFF:1.2.3.4' }], hostIPs: [{ ip: '1::0:1' }] } },
      ['status.podIPs[0].ip', 'status.hostIPs[0].ip'],
    ],
    ['PersistentVolume', { spec: { rbd: {} } }, []],
  ])('of a %s with %j', (kind, object, fields) => {
    const warnings = kindOf(kind).strategy.subresources?.['status'].warnings?.(object as never) ?? [];
    expect(warnings.map((text) => text.split(': ')[0])).toEqual(fields);
  });
});
