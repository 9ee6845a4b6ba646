import { describe, expect, test } from 'vitest';
import { admissionServer, box, ns } from './test-admission.ts';

const { call, create, merge, start } = admissionServer();

describe('ResourceQuota with limited resources', () => {
  const scope = { scopeName: 'PriorityClass', operator: 'In', values: ['high'] };
  const quota = async (spec: object, status: object) => {
    await call('POST', `${ns}/resourcequotas`, { metadata: { name: 'q' }, spec });
    await merge(`${ns}/resourcequotas/q/status`, { status });
  };
  const high = async () => {
    await call('POST', '/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name: 'high' }, value: 1 });
    return create('p', { priorityClassName: 'high' });
  };

  test.each([
    ['without a quota', false, 'pods "p" is forbidden: insufficient quota to consume: requests.cpu'],
    ['with one', true, undefined],
  ])('a resource %s', async (_, exists, message) => {
    await start({ configuration: { limitedResources: [{ resource: 'pods', matchContains: ['requests.cpu'] }] } });
    const hard = { 'requests.cpu': '1' };
    if (exists) await quota({ hard }, { hard, used: { 'requests.cpu': '0' } });
    const { body } = await create('p', { containers: [box({ resources: { requests: { cpu: '1' } } })] });
    expect(body.message).toBe(message);
    expect((await create('other')).body.message).toBe(
      exists ? 'pods "other" is forbidden: failed quota: q: must specify requests.cpu for: box' : undefined,
    );
  });

  test.each([
    ['without a quota', false, 500, 'insufficient quota to match these scopes: [{PriorityClass In [high]}]'],
    ['with one', true, 201, undefined],
  ])('a scope %s', async (_, exists, code, message) => {
    await start({ configuration: { limitedResources: [{ resource: 'pods', matchScopes: [scope] }] } });
    const hard = { pods: '1' };
    if (exists) await quota({ hard, scopeSelector: { matchExpressions: [scope] } }, { hard, used: { pods: '0' } });
    const answer = await high();
    expect([answer.code, answer.body.message]).toEqual([code, message]);
  });
});
