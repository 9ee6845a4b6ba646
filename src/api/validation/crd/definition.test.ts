import { describe, expect, test } from 'vitest';
import type { CustomResourceDefinition } from '../../generated/types.ts';
import { customResourceDefinition } from '../../kinds/apiextensions/customresourcedefinition.ts';
import { validateApproval } from './approval.ts';
import { validateDefinition, validateDefinitionUpdate } from './definition.ts';

const names = { plural: 'gears', singular: 'gear', kind: 'Gear', listKind: 'GearList' };
const empty = { type: 'object' };

const definition = (schema: object, version: object = {}, more: object = {}): CustomResourceDefinition =>
  ({
    metadata: { name: 'gears.g.test' },
    spec: {
      group: 'g.test',
      scope: 'Namespaced',
      names,
      conversion: { strategy: 'None' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, ...version }],
      ...more,
    },
    status: { storedVersions: ['v1'] },
  }) as never;

const texts = (errors: readonly { field: string; message: string }[]) =>
  errors.map(({ field, message }) => `${field.replace('spec.validation.openAPIV3Schema', '')}: ${message}`);

/** The faults of a schema for the field `f`. */
const faultsOf = (f: object, root: object = {}) =>
  texts(validateDefinition(definition({ type: 'object', properties: { f }, ...root })));

const either = [{ type: 'integer' }, { type: 'string' }];
const at = '.properties[f]';

describe('structural schemas', () => {
  test.each([
    ['int-or-string with anyOf', { 'x-kubernetes-int-or-string': true, anyOf: either }, []],
    [
      'int-or-string with more in allOf',
      { 'x-kubernetes-int-or-string': true, allOf: [{ anyOf: either }, { pattern: '^x' }] },
      [],
    ],
    [
      'types in another allOf',
      { type: 'string', allOf: [{ minLength: 1 }, { anyOf: either }] },
      [
        `${at}.allOf[1].anyOf[0].type: Forbidden: must be empty to be structural`,
        `${at}.allOf[1].anyOf[1].type: Forbidden: must be empty to be structural`,
      ],
    ],
    [
      'properties beside additionalProperties: true',
      { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: true },
      [],
    ],
    [
      'properties beside additionalProperties',
      { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: { type: 'string' } },
      [`${at}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive`],
    ],
    ['a list without items', { type: 'array' }, [`${at}.items: Required value: must be specified`]],
    [
      'an embedded resource',
      { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
      [],
    ],
    [
      'int-or-string that keeps unknown fields',
      { 'x-kubernetes-int-or-string': true, 'x-kubernetes-preserve-unknown-fields': true },
      [
        `${at}.x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if x-kubernetes-int-or-string is true`,
      ],
    ],
    [
      'an extension below anyOf',
      { type: 'object', anyOf: [{ 'x-kubernetes-preserve-unknown-fields': true }] },
      [`${at}.anyOf[0].x-kubernetes-preserve-unknown-fields: Forbidden: must be false to be structural`],
    ],
    [
      'a list of maps without keys',
      { type: 'array', items: { type: 'object' }, 'x-kubernetes-list-map-keys': ['a'] },
      [`${at}.x-kubernetes-list-type: Required value: must be map if x-kubernetes-list-map-keys is non-empty`],
    ],
    [
      'a map type on a list',
      { type: 'array', items: empty, 'x-kubernetes-map-type': 'atomic' },
      [`${at}.type: Invalid value: "array": must be object if x-kubernetes-map-type is specified`],
    ],
    [
      'nullable items of a set',
      { type: 'array', items: { type: 'string', nullable: true }, 'x-kubernetes-list-type': 'set' },
      [`${at}.items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is set`],
    ],
    ['an id', { type: 'string', id: 'x' }, [`${at}.id: Forbidden: id is not supported`]],
    [
      'a dependency of no form',
      { type: 'object', dependencies: { a: true } },
      [`${at}.dependencies: Forbidden: dependencies is not supported`],
    ],
    [
      'a default with an unknown field and without a required one',
      { type: 'object', properties: { a: { type: 'string' } }, required: ['a'], default: { b: 1 } },
      [`${at}.default: Invalid value: {"b":1}: must not have unknown fields`, `${at}.default.a: Required value`],
    ],
    [
      'items that are a list',
      { type: 'array', items: [{ type: 'string' }] },
      [`${at}.items: Forbidden: items must be a schema object and not an array`],
    ],
  ])('%s', (_, schema, wanted) => expect(faultsOf(schema)).toEqual(wanted));

  test.each([
    [
      'a junction names a field that does not exist',
      { anyOf: [{ required: ['f'], properties: { g: {} } }] },
      [
        '.properties[g]: Required value: because it is defined in spec.validation.openAPIV3Schema.anyOf[0].properties[g]',
      ],
    ],
    [
      'additional properties at the root',
      { properties: undefined, additionalProperties: { type: 'string' } },
      ['.additionalProperties: Forbidden: must not be used at the root'],
    ],
    ['nullable', { nullable: true }, ['.nullable: Forbidden: nullable cannot be true at the root']],
    [
      'metadata with a name',
      { properties: { metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 9 } } } } },
      [],
    ],
    [
      'metadata with more',
      { properties: { metadata: { type: 'object', properties: { labels: { type: 'object' } } } } },
      [
        '.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified',
      ],
    ],
    [
      'a default in metadata',
      { properties: { metadata: { type: 'object', properties: { name: { type: 'string', default: 'a' } } } } },
      ['.properties[metadata].properties[name].default: Forbidden: must not be set in top-level metadata'],
    ],
  ])('at the root: %s', (_, root, wanted) => expect(faultsOf({ type: 'string' }, root)).toEqual(wanted));
});

describe('defaults', () => {
  test.each([
    ['an int-or-string of another type', { 'x-kubernetes-int-or-string': true, default: true }, []],
    [
      'one that breaks its pattern',
      { type: 'string', pattern: '^b', default: 'a' },
      [`${at}.default: Invalid value: "a":  in body should match '^b'`],
    ],
    [
      'one that is too long',
      { type: 'string', maxLength: 1, default: 'ab' },
      [`${at}.default: Too long: may not be more than 1 byte`],
    ],
    [
      'one with unknown fields',
      { type: 'object', properties: { a: { type: 'string' } }, default: { b: 1 } },
      [`${at}.default: Invalid value: {"b":1}: must not have unknown fields`],
    ],
    [
      'one of an embedded resource without a kind',
      {
        type: 'object',
        'x-kubernetes-embedded-resource': true,
        'x-kubernetes-preserve-unknown-fields': true,
        default: { apiVersion: 'v1' },
      },
      [`${at}.default.kind: Required value`],
    ],
    [
      'one that lacks a required field',
      { type: 'object', required: ['a'], properties: { a: { type: 'string' } }, default: {} },
      [`${at}.default.a: Required value`],
    ],
    ['good ones', { type: 'object', properties: { a: { type: 'integer', default: 1 } }, default: {} }, []],
  ])('%s', (_, schema, wanted) =>
    expect(faultsOf(schema).map((text) => text.replace('1 bytes', '1 byte'))).toEqual(wanted),
  );
});

describe('versions', () => {
  const faults = (version: object, more?: object) => texts(validateDefinition(definition(empty, version, more)));

  test.each([
    [
      'a stored version is missing',
      {},
      { versions: [{ name: 'v2', served: true, storage: true, schema: { openAPIV3Schema: empty } }] },
      [
        'status.storedVersions: Invalid value: ["v1"]: must have the storage version v2',
        'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v1 and removes v1 from status.storedVersions',
      ],
    ],
    [
      'a warning without deprecation',
      { deprecationWarning: 'old' },
      {},
      ['spec.versions[0].deprecationWarning: Invalid value: "old": can only be set for deprecated versions'],
    ],
    [
      'a column without a dot',
      { additionalPrinterColumns: [{ name: 'a', type: 'string', jsonPath: 'spec' }] },
      {},
      ['spec.additionalPrinterColumns[0].JSONPath: Invalid value: "spec": must be a simple json path starting with .'],
    ],
    [
      'a webhook without a client',
      {},
      { conversion: { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'] } } },
      ['spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook'],
    ],
    ['the status of a schema with junctions at its root', { subresources: { status: {} } }, {}, []],
    [
      'a kind in capitals only',
      {},
      { names: { ...names, kind: 'Ge_ar' } },
      [
        `spec.names.kind: Invalid value: "Ge_ar": may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')`,
      ],
    ],
  ])('%s', (_, version, more, wanted) => expect(faults(version, more)).toEqual(wanted));

  test('selectable fields are scalars outside of metadata, each once', () => {
    const schema = {
      type: 'object',
      properties: { spec: { type: 'object', properties: { a: { type: 'string' }, o: empty } } },
    };
    const paths = ['.spec.a', '.spec.a', '.spec.o', '.spec.none', ".spec['a']", 'x'];
    const crd = definition(schema, { selectableFields: paths.map((jsonPath) => ({ jsonPath })) });
    const scalar =
      'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
    expect(texts(validateDefinition(crd))).toEqual([
      'spec.selectableFields[1].jsonPath: Duplicate value: ".spec.a"',
      `spec.selectableFields[2].jsonPath: Invalid value: ".spec.o": ${scalar}`,
      'spec.selectableFields[3].jsonPath: Invalid value: ".spec.none": is an invalid path: does not refer to a valid field',
      `spec.selectableFields[4].jsonPath: Invalid value: ".spec['a']": is an invalid path: array notation is not allowed`,
      'spec.selectableFields[5].jsonPath: Invalid value: "x": is an invalid path: expected [ or . but got: x',
    ]);
  });

  test('new unknown formats cause a warning', () => {
    const crd = definition({
      type: 'object',
      properties: { a: { type: 'string', format: 'odd' }, b: { type: 'integer', format: 'int32' } },
    });
    const { warnings } = customResourceDefinition.strategy ?? {};
    expect(warnings?.(crd as never)).toEqual(['unrecognized format "odd"']);
    expect(warnings?.(crd as never, crd as never)).toEqual([]);
  });
});

describe('changes and approval', () => {
  test('group and plural never change, scope and kind not once established', () => {
    const old = definition(empty);
    const next = definition(empty, {}, { group: 'h.test', scope: 'Cluster' });
    expect(texts(validateDefinitionUpdate(next, old))).toEqual([
      'spec.group: Invalid value: "h.test": field is immutable',
    ]);
    const established = {
      ...old,
      status: { ...old.status, conditions: [{ type: 'Established', status: 'True' }] },
    } as never;
    expect(texts(validateDefinitionUpdate(definition(empty, {}, { scope: 'Cluster' }), established))).toEqual([
      'spec.scope: Invalid value: "Cluster": field is immutable',
    ]);
  });

  const approved = (value?: string) => {
    const crd = definition(empty, {}, { group: 'x.k8s.io' });
    crd.metadata.annotations = value === undefined ? {} : { 'api-approved.kubernetes.io': value };
    return crd;
  };

  test.each([
    [undefined, ['FieldValueRequired']],
    ['https://github.com/kubernetes/kubernetes/pull/1', []],
    ['unapproved, experimental', []],
    ['yes', ['FieldValueInvalid']],
  ])('a group of the community with %s', (value, wanted) =>
    expect(validateApproval(approved(value)).map(({ type }) => type)).toEqual(wanted),
  );

  test('needs no approval later that it had not before', () =>
    expect(validateApproval(approved(), approved())).toEqual([]));
});
