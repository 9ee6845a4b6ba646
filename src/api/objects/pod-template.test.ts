import { describe, expect, test } from 'vitest';
import type { ObjectMeta } from '../generated/types.ts';
import { builtinKinds } from '../registry.ts';
import { podTemplateOf } from './pod-template.ts';

const kindOf = (group: string, resource: string) => {
  const kind = builtinKinds().find((one) => one.group === group && one.resource === resource);
  if (!kind) throw new Error(`no kind ${resource}`);
  return kind;
};
const metadata = { name: 'a' } as ObjectMeta;
const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [] } };

describe('podTemplateOf', () => {
  test.each([
    ['', 'podtemplates', { template }],
    ['', 'replicationcontrollers', { spec: { template } }],
    ['apps', 'replicasets', { spec: { template } }],
    ['apps', 'deployments', { spec: { template } }],
    ['apps', 'statefulsets', { spec: { template } }],
    ['apps', 'daemonsets', { spec: { template } }],
    ['batch', 'jobs', { spec: { template } }],
    ['batch', 'cronjobs', { spec: { jobTemplate: { spec: { template } } } }],
  ])('of %j %s', (group, resource, object) =>
    expect(podTemplateOf(kindOf(group, resource), { metadata, ...object })).toBe(template),
  );

  test('of a pod is the pod', () => {
    const pod = { metadata, spec: template.spec };
    expect(podTemplateOf(kindOf('', 'pods'), pod)).toBe(pod);
  });

  test('of a kind without pods is none', () =>
    expect(podTemplateOf(kindOf('', 'services'), { metadata, spec: { template } })).toBeUndefined());

  test('of an object without one is none', () =>
    expect(podTemplateOf(kindOf('batch', 'cronjobs'), { metadata })).toBeUndefined());

  test('exactly these kinds have pods', () =>
    expect(
      builtinKinds()
        .filter(({ podTemplate }) => podTemplate !== undefined)
        .map(({ resource }) => resource)
        .sort(),
    ).toEqual([
      ...['cronjobs', 'daemonsets', 'deployments', 'jobs', 'pods', 'podtemplates'],
      ...['replicasets', 'replicationcontrollers', 'statefulsets'],
    ]));
});
