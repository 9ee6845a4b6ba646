import { describe, expect, test } from 'vitest';
import type { Authorizer } from '../access/authorization.ts';
import { admissionServer, ns } from './test-admission.ts';

const { call, start, transport } = admissionServer();

describe('OwnerReferencesPermissionEnforcement', () => {
  const may: Record<string, boolean> = {};
  const authorizer: Authorizer = {
    name: 'test',
    authorize: ({ user, verb, resource, subresource }) => {
      const isAsked = user.name === 'eve' && (verb === 'delete' || subresource === 'finalizers');
      return isAsked && !may[`${verb} ${resource}`]
        ? { decision: 'no-opinion', reason: 'not hers' }
        : { decision: 'allow' };
    },
  };
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'u' };
  const write = async (allowed: string[], owners: object[], exists: boolean) => {
    for (const key of Object.keys(may)) delete may[key];
    for (const key of allowed) may[key] = true;
    if (exists) await call('POST', `${ns}/configmaps`, { metadata: { name: 'c' } });
    const { code, body }: { code: number; body?: any } = await transport({
      name: 'eve',
      groups: ['system:authenticated'],
    }).send({
      method: exists ? 'PUT' : 'POST',
      path: exists ? `${ns}/configmaps/c` : `${ns}/configmaps`,
      query: {},
      body: { metadata: { name: 'c', ownerReferences: owners } },
    });
    return [code, body.message];
  };
  const blocking = { ...owner, blockOwnerDeletion: true };

  test.each([
    ['a new object with an owner', [], [owner], false, 201, undefined],
    [
      'an owner of an object that she cannot delete',
      [],
      [owner],
      true,
      403,
      'configmaps "c" is forbidden: cannot set an ownerRef on a resource you can\'t delete: not hers, <nil>',
    ],
    ['an owner of an object that she can delete', ['delete configmaps'], [owner], true, 200, undefined],
    [
      'a blocking owner whose finalizers she cannot set',
      [],
      [blocking],
      false,
      403,
      'configmaps "c" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can\'t set finalizers on: not hers, <nil>',
    ],
    ['a blocking owner whose finalizers she can set', ['update replicasets'], [blocking], false, 201, undefined],
    ['who can set all finalizers', ['update *'], [blocking], false, 201, undefined],
    [
      'a blocking owner of an unknown kind',
      [],
      [{ ...blocking, kind: 'Ghost' }],
      false,
      403,
      'configmaps "c" is forbidden: cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion apps/v1 Kind Ghost: no matches for kind "Ghost" in version "apps/v1"',
    ],
  ])('%s', async (_, allowed, owners, exists, code, message) => {
    await start({ enabled: 'OwnerReferencesPermissionEnforcement', authorizers: [authorizer] });
    expect(await write(allowed, owners, exists)).toEqual([code, message]);
  });
});
