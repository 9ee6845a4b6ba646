import { describe, expect, test } from 'vitest';
import { group, policyServer } from './test-policies.ts';

const { call, map, mutating } = policyServer();

describe('mutating', () => {
  test('an apply configuration is merged', async () => {
    await mutating({
      patchType: 'ApplyConfiguration',
      applyConfiguration: { expression: 'Object{metadata: Object.metadata{labels: {"stamp": object.data.v}}}' },
    });
    expect((await map('m', { v: '1' }, { own: 'x' })).body.metadata.labels).toEqual({ own: 'x', stamp: '1' });
  });

  test('a JSON patch is applied', async () => {
    await mutating({
      patchType: 'JSONPatch',
      jsonPatch: { expression: '[JSONPatch{op: "add", path: "/data/extra", value: "e"}]' },
    });
    expect((await map('m')).body.data).toEqual({ v: 'bad', extra: 'e' });
  });

  test('patches of other shapes', async () => {
    await mutating({
      patchType: 'JSONPatch',
      jsonPatch: {
        expression:
          '[JSONPatch{op: "test", path: "/data/v", value: "bad"}, JSONPatch{op: "add", path: "/metadata/annotations", value: {jsonpatch.escapeKey("a/b"): string(size(object.data))}}, JSONPatch{op: "test", path: "/data/v", value: "other"}]',
      },
    });
    expect((await map('m')).body.metadata.annotations).toBeUndefined();
  });

  test('a field that does not exist is never added', async () => {
    await mutating(
      {
        patchType: 'JSONPatch',
        jsonPatch: { expression: '[JSONPatch{op: "add", path: "/metadata/color", value: "red"}]' },
      },
      { failurePolicy: 'Ignore' },
    );
    expect(await map('m')).toMatchObject({
      code: 500,
      body: { message: 'Internal error occurred: strict decoding error: unknown field "metadata.color"' },
    });
  });

  test.each([
    [
      'Object{data: Object.spec{v: "x"}}',
      'type mismatch: unexpected type name "Object.spec", expected "Object.data", which matches field name path from root Object type',
    ],
    [
      'Object{date: {"v": "x"}}',
      'error applying patch: failed to convert patch object to typed object: .date: field not declared in schema',
    ],
    [
      'Object{data: {"k": 1}}',
      'error applying patch: failed to convert patch object to typed object: .data.k: expected string, got &value.valueUnstructured{Value:1}',
    ],
    [
      'Object{metadata: Object.metadata{ownerReferences: [Object.metadata.ownerReferences{uid: "u"}], managedFields: []}}',
      'error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .metadata.ownerReferences[0], .metadata.managedFields',
    ],
  ])('%s does not fit', async (expression, why) => {
    await mutating({ patchType: 'ApplyConfiguration', applyConfiguration: { expression } });
    expect((await map('m')).body.message).toBe(`policy 'p' with binding 'p' denied request: ${why}`);
  });

  test('a policy with reinvocation runs again after a change', async () => {
    const expression =
      'Object{metadata: Object.metadata{labels: {"count": string(int(object.metadata.?labels.?count.orValue("0")) + 1)}}}';
    await mutating(
      { patchType: 'ApplyConfiguration', applyConfiguration: { expression } },
      { reinvocationPolicy: 'IfNeeded' },
    );
    expect((await map('m')).body.metadata.labels).toEqual({ count: '2' });
  });

  test('a patch that does not apply is a refusal, or is ignored', async () => {
    const mutation = {
      patchType: 'JSONPatch',
      jsonPatch: { expression: '[JSONPatch{op: "remove", path: "/data/none"}]' },
    };
    await mutating(mutation);
    expect(await map('m')).toMatchObject({
      code: 403,
      body: {
        message:
          "policy 'p' with binding 'p' denied request: JSON Patch: error in remove for path: '/data/none': Unable to remove nonexistent key: none: missing value",
      },
    });
    await call(
      'PATCH',
      `${group}/mutatingadmissionpolicies/p`,
      { spec: { failurePolicy: 'Ignore' } },
      {
        contentType: 'application/merge-patch+json',
      },
    );
    expect((await map('m')).code).toBe(201);
  });
});
