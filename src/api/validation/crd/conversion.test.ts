import { describe, expect, test } from 'vitest';
import type { CustomResourceDefinition } from '../../generated/types.ts';
import { bundleFault } from './ca-bundle.ts';
import { validateDefinition } from './definition.ts';

const schema = { type: 'object', properties: { spec: { type: 'object', properties: { a: { type: 'string' } } } } };
const version = (name: string, more: object = {}) => ({
  name,
  served: true,
  storage: name === 'v1',
  schema: { openAPIV3Schema: schema },
  ...more,
});

const definition = (more: object): CustomResourceDefinition =>
  ({
    metadata: { name: 'gears.g.test' },
    spec: {
      group: 'g.test',
      scope: 'Namespaced',
      names: { plural: 'gears', singular: 'gear', kind: 'Gear', listKind: 'GearList' },
      conversion: { strategy: 'None' },
      versions: [version('v1')],
      ...more,
    },
    status: { storedVersions: ['v1'] },
  }) as never;

const faultsOf = (more: object, old?: CustomResourceDefinition) =>
  validateDefinition(definition(more), old).map(({ field, message }) => `${field}: ${message}`);

const at = 'spec.conversion';
const noWebhook = 'Forbidden: should not be set when strategy is not set to Webhook';
const service = { namespace: 'n', name: 's', port: 443 };
const webhook = (clientConfig: object | undefined, conversionReviewVersions: unknown = ['v1']) => ({
  conversion: { strategy: 'Webhook', webhook: { clientConfig, conversionReviewVersions } },
});

describe('conversion', () => {
  test.each<[string, object, string[]]>([
    ['none', { conversion: { strategy: 'None' } }, []],
    ['no strategy', { conversion: {} }, [`${at}.strategy: Required value`]],
    [
      'an unknown strategy with a webhook',
      { conversion: { strategy: 'val', webhook: { clientConfig: { url: 'val' }, conversionReviewVersions: ['v1'] } } },
      [
        `${at}.strategy: Unsupported value: "val": supported values: "None", "Webhook"`,
        `${at}.webhookClientConfig: ${noWebhook}`,
        `${at}.conversionReviewVersions: ${noWebhook}`,
      ],
    ],
    [
      'a webhook where none is used, without versions',
      { conversion: { strategy: 'None', webhook: { clientConfig: {}, conversionReviewVersions: null } } },
      [`${at}.webhookClientConfig: ${noWebhook}`],
    ],
    ['a service', webhook({ service }), []],
    [
      'no client, no versions',
      webhook(undefined, null),
      [
        `${at}.webhookClientConfig: Required value: required when strategy is set to Webhook`,
        `${at}.conversionReviewVersions: Required value`,
      ],
    ],
    [
      'a URL and a service',
      webhook({ service, url: 'https://h.test' }),
      [`${at}.webhookClientConfig: Required value: exactly one of url or service is required`],
    ],
    [
      'an empty URL',
      webhook({ url: '' }),
      [
        `${at}.webhookClientConfig.url: Invalid value: "": 'https' is the only allowed URL scheme; desired format: https://host[/path]`,
        `${at}.webhookClientConfig.url: Invalid value: "": host must be specified; desired format: https://host[/path]`,
      ],
    ],
    [
      'a service without names, with a wrong port and path',
      webhook({ service: { port: 0, path: 'x' } }),
      [
        `${at}.webhookClientConfig.service.name: Required value`,
        `${at}.webhookClientConfig.service.namespace: Required value`,
        `${at}.webhookClientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive`,
        `${at}.webhookClientConfig.service.path: Invalid value: "x": must start with a '/'`,
        `${at}.webhookClientConfig.service.path: Invalid value: "x": segment[0] may not be empty`,
      ],
    ],
    [
      'unknown and repeated versions',
      webhook({ service }, ['v9', 'v9']),
      [
        `${at}.conversionReviewVersions[1]: Invalid value: "v9": duplicate version`,
        `${at}.conversionReviewVersions: Invalid value: ["v9","v9"]: must include at least one of v1, v1beta1`,
      ],
    ],
  ])('%s', (_, more, faults) => expect(faultsOf(more)).toEqual(faults));

  test('unknown review versions may stay', () => {
    const old = definition(webhook({ service }, ['v9']));
    expect(faultsOf(webhook({ service }, ['v8']), old)).toEqual([]);
  });
});

describe('the certificates of a webhook', () => {
  const bundle = btoa('x');
  const established = (caBundle?: string) => {
    const crd = definition(webhook({ service, caBundle }));
    crd.status = { ...crd.status, conditions: [{ type: 'Established', status: 'True' }] } as never;
    return crd;
  };
  const fault = `${at}.webhookClientConfig.caBundle: Invalid value: "${bundle}": unable to load root certificates: unable to parse bytes as PEM block`;
  test.each<[string, CustomResourceDefinition | undefined, string[]]>([
    ['new', undefined, []],
    ['before it is established', definition(webhook({ service })), []],
    ['once it is established', established(), [fault]],
    ['unreadable before', established(btoa('y')), []],
  ])('%s', (_, old, faults) => expect(faultsOf(webhook({ service, caBundle: bundle }), old)).toEqual(faults));

  const block = (type: string, content: string) => `-----BEGIN ${type}-----\n${btoa(content)}\n-----END ${type}-----\n`;
  test.each([
    ['no text', '', 'no valid certificate authority data seen'],
    ['another block', block('KEY', 'abc'), 'no valid certificate authority data seen'],
    ['a wrong certificate', block('CERTIFICATE', 'abc'), 'failed to parse certificate: x509: malformed certificate'],
  ])('%s', (_, text, wanted) => expect(bundleFault(btoa(text))).toBe(wanted));
});

describe('selectable fields', () => {
  const selectableFields = [{ jsonPath: '.spec.a' }];
  const unshared = { ...schema, description: 'other' };
  test.each<[string, object[], string[]]>([
    [
      'without a schema',
      [version('v1', { selectableFields, schema: undefined })],
      [
        'spec.versions[0].schema.openAPIV3Schema: Required value',
        'spec.selectableFields: Invalid value: "": may only be set when validations.schema is included',
      ],
    ],
    [
      'the same in versions of different schemas',
      [version('v1', { selectableFields }), version('v2', { selectableFields, schema: { openAPIV3Schema: unshared } })],
      ['spec.selectableFields: Invalid value: "": may only be set when validations.schema is included'],
    ],
    [
      'in one of two versions of the same schema',
      [version('v1', { selectableFields }), version('v2')],
      [
        'spec.versions[0].selectableFields: Invalid value: "": may only be set when `version.schema.openAPIV3Schema` is not included',
      ],
    ],
    [
      'in one of two versions of different schemas',
      [version('v1', { selectableFields }), version('v2', { schema: { openAPIV3Schema: unshared } })],
      [],
    ],
  ])('%s', (_, versions, faults) => expect(faultsOf({ versions })).toEqual(faults));
});

describe('schemas', () => {
  const rule = (mapType: string | undefined) => ({
    type: 'object',
    properties: {
      m: {
        type: 'object',
        ...(mapType && { 'x-kubernetes-map-type': mapType }),
        properties: {
          a: { type: 'string', maxLength: 9, 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] },
        },
      },
    },
  });
  test.each<[string | undefined, string[]]>([
    [undefined, []],
    ['granular', []],
    ['atomic', []],
  ])('a rule over the old value in a map of type %s', (mapType, faults) =>
    expect(faultsOf({ versions: [version('v1', { schema: { openAPIV3Schema: rule(mapType) } })] })).toEqual(faults),
  );

  const allowed =
    'only [Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations] fields are allowed at the root of the schema if the status subresource is enabled';
  const objectOnly =
    'spec.validation.openAPIV3Schema.type: Invalid value: "array": only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
  test.each<[string, object, boolean]>([
    ['an id before a wrong type', { id: 'x', type: 'array' }, true],
    ['a wrong type before a limit', { type: 'array', maxProperties: 2 }, false],
  ])('at the root, only the first fault for a status: %s', (_, root, isField) => {
    const versions = [version('v1', { schema: { openAPIV3Schema: root }, subresources: { status: {} } })];
    const [first, ...others] = faultsOf({ versions });
    expect(isField ? first.endsWith(allowed) : first === objectOnly).toBe(true);
    expect(others.filter((fault) => fault.includes('status subresource'))).toEqual([]);
  });

  test('unknown fields are not kept as a whole', () => {
    const withDefault = { type: 'object', properties: { a: { type: 'string', default: 'x' } } };
    expect(
      faultsOf({
        preserveUnknownFields: true,
        versions: [version('v1', { schema: { openAPIV3Schema: withDefault } })],
        ...webhook({ service }),
      }),
    ).toEqual([
      'spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      'spec.preserveUnknownFields: Invalid value: true: must be false in order to use defaults in the schema',
      'spec.conversion.strategy: Invalid value: "Webhook": must be None if spec.preserveUnknownFields is true',
    ]);
  });

  test('the place of a character that cannot be printed counts bytes', () => {
    const versions = [version('v1', { deprecated: true, deprecationWarning: 'ä\u0007' })];
    expect(faultsOf({ versions })).toEqual([
      'spec.versions[0].deprecationWarning: Invalid value: "ä\\a": must only contain printable UTF-8 characters; non-printable character found at index 2',
    ]);
  });
});
