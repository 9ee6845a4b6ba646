import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from './shared/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster();
});
afterEach(() => cluster.stop());

test('status has type warnings, once per generation', async () => {
  const { client, clock } = cluster;
  const policies = 'validatingadmissionpolicies';
  const rule = { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['deployments'] };
  const spec = (expression: string) => ({
    matchConstraints: { resourceRules: [rule] },
    validations: [{ expression }],
  });
  await client.create(policies, { metadata: { name: 'p' }, spec: spec('object.spec.size > 1') } as never);
  await clock.settle();
  const { status } = await client.get(policies, { name: 'p' });
  expect(status).toMatchObject({
    observedGeneration: 1,
    typeChecking: {
      expressionWarnings: [
        {
          fieldRef: 'spec.validations[0].expression',
          warning: expect.stringContaining("apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'size'"),
        },
      ],
    },
  });
  await client.patch(policies, { name: 'p' }, { type: 'merge', body: { spec: spec('object.spec.replicas > 1') } });
  await clock.settle();
  const next = await client.get(policies, { name: 'p' });
  expect(next.status).toEqual({ observedGeneration: 2, typeChecking: {} });
});
