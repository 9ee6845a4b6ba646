import { describe, expect, test } from 'vitest';
import { parseJson } from '../machinery/text/json.ts';
import { decodeBody } from './body.ts';
import { pruneCustom } from './custom/prune.ts';
import { canonical, decode } from './decode.ts';
import { ApiError } from './errors.ts';
import type { Lease, Pod } from './generated/types.ts';
import { schemaOfKind } from './schemas.ts';

const wanted = (group: string, version: string, kind: string) => ({
  group,
  version,
  kind,
  schema: schemaOfKind(group, version, kind)!,
});
const pod = wanted('', 'v1', 'Pod');
const configMap = wanted('', 'v1', 'ConfigMap');

describe('canonical form', () => {
  test('fields come in the order of the published types, keys of maps sorted', () =>
    expect(
      JSON.stringify(
        decode(pod.schema, {
          spec: { containers: [{ image: 'i', name: 'n' }] },
          metadata: { labels: { b: '', a: '' }, name: 'p' },
        }).object,
      ),
    ).toBe(
      '{"metadata":{"name":"p","labels":{"a":"","b":""}},"spec":{"containers":[{"name":"n","image":"i","resources":{}}]},"status":{}}',
    ));

  test.each([
    { case: 'empty strings, zero and false go', spec: { nodeName: '', hostNetwork: false }, left: {} },
    {
      case: 'pointers keep them',
      spec: { priority: 0, automountServiceAccountToken: false },
      left: { automountServiceAccountToken: false, priority: 0 },
    },
    { case: 'null is nothing', spec: { nodeName: null, securityContext: null }, left: {} },
    { case: 'an empty struct behind a pointer stays', spec: { securityContext: {} }, left: { securityContext: {} } },
    { case: 'empty lists and maps go', spec: { volumes: [], nodeSelector: {} }, left: {} },
  ])('$case', ({ spec, left }) =>
    expect(canonical(pod.schema, { spec: { containers: [], ...spec } } as any).spec).toEqual({
      containers: null,
      ...left,
    }),
  );

  test('quantities and times', () => {
    const limits = { cpu: 0.5, memory: '1024Mi' };
    const { object } = decode(pod.schema, {
      metadata: { creationTimestamp: '2026-01-02T03:04:05.6+01:00' },
      spec: { containers: [{ name: 'a', resources: { limits } }] },
    });
    expect((object as Pod).spec?.containers[0].resources?.limits).toEqual({ cpu: '500m', memory: '1Gi' });
    expect(object.metadata.creationTimestamp).toBe('2026-01-02T02:04:05Z');
    const lease = decode(schemaOfKind('coordination.k8s.io', 'v1', 'Lease')!, {
      spec: { renewTime: '2026-01-02T04:04:05.123456+01:00' },
    });
    expect((lease.object as Lease).spec?.renewTime).toBe('2026-01-02T03:04:05.123456Z');
  });
});

describe('times that Go does not read', () => {
  const lease = schemaOfKind('coordination.k8s.io', 'v1', 'Lease')!;
  const micro = '2006-01-02T15:04:05.000000Z07:00';
  test.each([
    ['2026-13-02T03:04:05.000000Z', ': month out of range'],
    ['2026-02-30T03:04:05.000000Z', ': day out of range'],
    ['2026-01-02T25:04:05.000000Z', ': hour out of range'],
    ['2026-01-02T03:04:05Z', ` as "${micro}": cannot parse "Z" as ".000000"`],
    ['2026-01-02T03:04:05.1234567Z', ` as "${micro}": cannot parse "7Z" as "Z07:00"`],
    ['2026-01-02T03:04:05.000000ZZ', ': extra text: "Z"'],
    ['soon', ` as "${micro}": cannot parse "soon" as "2006"`],
  ])('%s', (renewTime, fault) =>
    expect(() => decode(lease, { spec: { renewTime } })).toThrow(`parsing time "${renewTime}"${fault}`),
  );
});

describe('refusals', () => {
  const cannot = 'Pod in version "v1" cannot be handled as a Pod: ';
  test.each([
    [
      '{"spec":{"containers":{"a":1}}}',
      `${cannot}json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container`,
    ],
    [
      '{"spec":{"containers":[{"image":5}]}}',
      `${cannot}json: cannot unmarshal number into Go struct field Container.spec.containers.image of type string`,
    ],
    [
      '{"spec":{"volumes":[{"hostPath":"/"}]}}',
      `${cannot}json: cannot unmarshal string into Go struct field Volume.spec.volumes.VolumeSource.hostPath of type v1.HostPathVolumeSource`,
    ],
    [
      '{"spec":{"priority":9999999999}}',
      `${cannot}json: cannot unmarshal number 9999999999 into Go struct field PodSpec.spec.priority of type int32`,
    ],
    [
      '{"spec":{"priority":1.5}}',
      `${cannot}json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32`,
    ],
    [
      '{"metadata":{"creationTimestamp":7}}',
      `${cannot}json: cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of type string`,
    ],
    [
      '{"spec":{"containers":[{"livenessProbe":{"httpGet":{"port":2147483648}}}]}}',
      `${cannot}json: cannot unmarshal number 2147483648 into Go struct field HTTPGetAction.spec.containers.livenessProbe.ProbeHandler.httpGet.port of type int32`,
    ],
    [
      '{"spec":{"containers":[{"livenessProbe":{"httpGet":{"port":{}}}}]}}',
      `${cannot}json: cannot unmarshal object into Go struct field HTTPGetAction.spec.containers.livenessProbe.ProbeHandler.httpGet.port of type int32`,
    ],
    [
      '{"spec":{"overhead":{"cpu":""}}}',
      `${cannot}quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
    ],
    [
      '{"metadata":"x"}',
      `${cannot}json: cannot unmarshal string into Go struct field Pod.metadata of type v1.ObjectMeta`,
    ],
    [
      '{"kind":"Nothing","apiVersion":"v1"}',
      'Nothing in version "v1" cannot be handled as a Pod: no kind "Nothing" is registered for version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30"',
    ],
    [
      '',
      "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)",
    ],
    [
      '{"a":',
      'the object provided is unrecognized (must be of type Pod): couldn\'t get version/kind; json parse error: unexpected end of JSON input ({"a":)',
    ],
  ])('%s', (text, message) => {
    try {
      decodeBody(text, 'json', pod);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(ApiError);
      expect((error as ApiError).code).toBe(400);
      expect((error as ApiError).message).toBe(message);
    }
  });
});

describe('maps that no store takes', () => {
  const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, '']));
  const custom = { type: 'object', custom: true, preserveUnknownFields: true } as const;

  test.each([
    { case: 'data of a config map', schema: configMap.schema, object: (count: number) => ({ data: keys(count) }) },
    { case: 'fields of a custom resource', schema: custom, object: (count: number) => ({ spec: keys(count) }) },
  ])('$case', ({ schema, object }) => {
    expect(() => decode(schema, object(65_536))).not.toThrow();
    expect(() => decode(schema, object(65_537))).toThrow('Request entity too large: limit is 65536 keys in one map');
  });

  test('a stored custom resource is read, with as many keys as it has', () => {
    const stored = { spec: keys(70_000), hosts: Array(70_000).fill('a') };
    const schema = { ...custom, properties: { hosts: { type: 'array', listType: 'set' } } } as const;
    expect(pruneCustom(schema, stored, true).object).toEqual(stored);
    expect(() => pruneCustom(schema, stored)).toThrow('Request entity too large');
  });

  test('lists whose items have keys', () => {
    const withPorts = (count: number) => ({
      spec: { containers: [{ ports: Array(count).fill({ containerPort: 1 }) }] },
    });
    const spec = { type: 'object', properties: { hosts: { type: 'array', listType: 'set' } } } as const;
    const hosts = { type: 'object', custom: true, properties: { spec } } as const;
    const message = 'Request entity too large: limit is 65536 items in one list with keys';
    expect(() => decode(pod.schema, withPorts(65_536))).not.toThrow();
    expect(() => decode(pod.schema, withPorts(65_537))).toThrow(message);
    expect(() => decode(hosts, { spec: { hosts: Array(65_537).fill('a') } })).toThrow(message);
    expect(() => decode(pod.schema, { spec: { containers: [{ args: Array(70_000).fill('a') }] } })).not.toThrow();
  });
});

describe('unknown and duplicate fields', () => {
  test('in JSON, in the order of the text', () => {
    const body = decodeBody('{"data":{"a":"1","a":"2"},"extra":1,"metadata":{"colour":"red"}}', 'json', configMap);
    expect(body.object).toEqual({ kind: 'ConfigMap', apiVersion: 'v1', metadata: {}, data: { a: '2' } });
    expect(body.strictFaults).toEqual([
      'duplicate field "data.a"',
      'unknown field "extra"',
      'unknown field "metadata.colour"',
    ]);
  });

  test('an unknown field may come before a duplicate, and its content is not reported', () => {
    const text = '{"extra":{"a":1,"a":2},"data":{"a":"1","a":"2"},"kind":"ConfigMap"}';
    expect(decodeBody(text, 'json', configMap).strictError).toMatch(
      /strict decoding error: unknown field "extra", duplicate field "data.a"$/,
    );
  });

  test('in YAML, with their lines', () => {
    const body = decodeBody('metadata:\n  colour: red\ndata:\n  a: "1"\n  a: "2"\n', 'yaml', configMap);
    expect(body.object).toMatchObject({ data: { a: '2' } });
    expect(body.strictError).toBe(
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: yaml: unmarshal errors:\n  line 5: key "a" already set in map, unknown field "metadata.colour"',
    );
  });

  test('fields that differ in case are unknown', () =>
    expect(decodeBody('{"Data":{}}', 'json', configMap).strictFaults).toEqual(['unknown field "Data"']));

  test('below long keys, only the first of them', () => {
    const key = 'k'.repeat(300_000);
    const fields = Array.from({ length: 200 }, (_, index) => `"f${index}":1`).join();
    const unknown = decodeBody(`{"${key}":1,${fields}}`, 'json', configMap);
    expect(unknown.strictFaults).toEqual([`unknown field "${key}"`]);
    const pod = wanted('', 'v1', 'Pod');
    const limits = `{"spec":{"containers":[{"resources":{"limits":{"${key}":"1","${key}":"2","a":"1","a":"1"}}}]}}`;
    expect(decodeBody(limits, 'json', pod).strictFaults).toEqual([
      `duplicate field "spec.containers[0].resources.limits.${key}"`,
    ]);
  });

  test('a key given three times is one duplicate', () =>
    expect(decodeBody('{"data":{"a":"1","a":"2","a":"3"}}', 'json', configMap).strictFaults).toEqual([
      'duplicate field "data.a"',
    ]));
});

test.each([
  ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
  ['[1 2]', "invalid character '2' after array element"],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['tru', 'unexpected end of JSON input'],
  ['{} x', "invalid character 'x' after top-level value"],
])('broken JSON %s', (text, message) => expect(() => parseJson(text)).toThrow(message));

describe('empty lists and maps', () => {
  const { schema } = wanted('networking.k8s.io', 'v1', 'NetworkPolicy');
  const given = { metadata: {}, spec: { podSelector: { matchLabels: {}, matchExpressions: [] }, policyTypes: [] } };
  const kept = (object: any) => JSON.stringify(object.spec);
  test('stay until an object is stored, where the kind asks for them', () => {
    const { object } = decode(schema, given, true);
    expect(kept(object)).toBe('{"podSelector":{"matchLabels":{},"matchExpressions":[]},"policyTypes":[]}');
    expect(kept(canonical(schema, object, true))).toBe(kept(object));
    expect(kept(canonical(schema, object))).toBe('{"podSelector":{}}');
  });
  test('elsewhere only lists stay', () =>
    expect(kept(decode(schema, given).object)).toBe('{"podSelector":{"matchExpressions":[]},"policyTypes":[]}'));
});

test.each([
  ['ConfigMap', 'binaryData'],
  ['Secret', 'data'],
])('null bytes of a %s are empty', (kind, field) => {
  const { object } = decode(wanted('', 'v1', kind).schema, { metadata: {}, [field]: { a: null, b: 'eA==' } });
  expect(object).toHaveProperty(field, { a: '', b: 'eA==' });
});

describe('parts of a definition of a custom resource', () => {
  const crd = wanted('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition');
  const read = (schema: object, version: object = {}) =>
    decode(crd.schema, { spec: { versions: [{ schema: { openAPIV3Schema: schema }, ...version }] } });
  test.each([
    [{ definitions: { k: 'x' } }, 'definitions of type v1.JSONSchemaProps'],
    [{ 'x-kubernetes-validations': ['x'] }, 'x-kubernetes-validations of type v1.ValidationRule'],
    [{ additionalProperties: [] }, 'boolean or JSON schema expected'],
  ])('%j: %s', (schema, fault) => expect(() => read(schema)).toThrow(fault));
  test('an empty list of items is none', () =>
    expect(read({ items: [] }).object).toMatchObject({
      spec: { versions: [{ schema: { openAPIV3Schema: { items: null } } }] },
    }));
  test('a status subresource has no fields', () => {
    const place = 'CustomResourceSubresources.spec.versions.subresources.status';
    expect(() => read({}, { subresources: { status: [] } })).toThrow(
      `json: cannot unmarshal array into Go struct field ${place} of type v1.CustomResourceSubresourceStatus`,
    );
    expect(read({}, { subresources: { status: { x: 1 } } }).unknownFields).toEqual([
      'spec.versions[0].subresources.status.x',
    ]);
  });
});

test('only resource lists of the core types are rounded to thousandths', () => {
  const runtimeClass = wanted('node.k8s.io', 'v1', 'RuntimeClass');
  const { object } = decode(runtimeClass.schema, { overhead: { podFixed: { cpu: '100u' } } });
  expect(object).toMatchObject({ overhead: { podFixed: { cpu: '100u' } } });
  expect(decode(pod.schema, { spec: { overhead: { cpu: '100u' } } }).object).toMatchObject({
    spec: { overhead: { cpu: '1m' } },
  });
});
