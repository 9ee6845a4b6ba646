import { expect, test } from 'vitest';
import type { JSONSchemaProps, CustomResourceDefinitionVersion as Version } from '../../generated/types.ts';
import { internalSchema, internalVersions } from './internal.ts';

const version = (name: string, more: Partial<Version> = {}): Version =>
  ({ name, served: true, storage: true, ...more }) as Version;
const shown = (more: Partial<Version>) =>
  (internalVersions([version('v1', more), version('v2')]) as readonly Record<string, unknown>[])[0];

test.each<[keyof Version, Partial<Version>, string, unknown]>([
  [
    'additionalPrinterColumns',
    { additionalPrinterColumns: [{ name: 'A', type: 'string', jsonPath: '.a' }] },
    'AdditionalPrinterColumns',
    [{ Name: 'A', Type: 'string', Format: '', Description: '', Priority: 0, JSONPath: '.a' }],
  ],
  ['selectableFields', { selectableFields: [{ jsonPath: '.a' }] }, 'SelectableFields', [{ JSONPath: '.a' }]],
  ['subresources', { subresources: { status: {} } }, 'Subresources', { Status: {}, Scale: null }],
  [
    'subresources',
    { subresources: { scale: { specReplicasPath: '.spec.r', statusReplicasPath: '.status.r' } } },
    'Subresources',
    {
      Status: null,
      Scale: { SpecReplicasPath: '.spec.r', StatusReplicasPath: '.status.r', LabelSelectorPath: null },
    },
  ],
])('the field %s of one version: %j', (_, more, name, wanted) => expect(shown(more)[name]).toEqual(wanted));

test('fields that all versions share are not printed for a version', () => {
  const columns = { additionalPrinterColumns: [{ name: 'A', type: 'string', jsonPath: '.a' }] };
  const versions = internalVersions([version('v1', columns), version('v2', columns)]);
  expect(versions).toMatchObject([{ AdditionalPrinterColumns: null }, { AdditionalPrinterColumns: null }]);
});

const leaf = { type: 'string' };
const part = expect.objectContaining({ Type: 'string', XValidations: null });
test.each<[keyof JSONSchemaProps, JSONSchemaProps, string, unknown]>([
  ['items', { items: leaf }, 'Items', { Schema: part, JSONSchemas: null }],
  ['items', { items: [leaf] as never }, 'Items', { Schema: null, JSONSchemas: [part] }],
  ['properties', { properties: { b: leaf, a: leaf } }, 'Properties', { a: part, b: part }],
  [
    'additionalProperties',
    { additionalProperties: false as never },
    'AdditionalProperties',
    { Allows: false, Schema: null },
  ],
  ['additionalItems', { additionalItems: leaf as never }, 'AdditionalItems', { Allows: true, Schema: part }],
  [
    'dependencies',
    { dependencies: { a: ['b'], c: leaf } as never },
    'Dependencies',
    { a: { Schema: null, Property: ['b'] }, c: { Schema: part, Property: null } },
  ],
  ['externalDocs', { externalDocs: { url: 'u' } }, 'ExternalDocs', { Description: '', URL: 'u' }],
  [
    'x-kubernetes-validations',
    { 'x-kubernetes-validations': [{ rule: 'true', reason: 'FieldValueInvalid' }] },
    'XValidations',
    [
      {
        Rule: 'true',
        Message: '',
        MessageExpression: '',
        Reason: 'FieldValueInvalid',
        FieldPath: '',
        OptionalOldSelf: null,
      },
    ],
  ],
])('the part %s of a schema: %j', (_, schema, name, wanted) =>
  expect((internalSchema(schema) as Record<string, unknown>)[name]).toEqual(wanted),
);

test('maps are in the order of their keys', () =>
  expect(Object.keys((internalSchema({ properties: { b: leaf, a: leaf } }) as any).Properties)).toEqual(['a', 'b']));
