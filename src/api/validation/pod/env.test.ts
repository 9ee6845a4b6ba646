import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../../kinds/test-faults.ts';

const find = faultFinder('v1/pods', {
  spec: {
    containers: [{ name: 'c', image: 'i' }],
    volumes: [
      { name: 'files', emptyDir: {} },
      { name: 'host', hostPath: { path: '/' } },
    ],
  },
});
const env = 'spec.containers[0].env';
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const key =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const qualified =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const envFields =
  '"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"';
const resources =
  '"limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"';
const sizes = '1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei';

describe('variables', () => {
  const from = `${env}[0].valueFrom`;
  const ref = (fieldPath: string, apiVersion?: string) => ({ fieldRef: { fieldPath, apiVersion } });
  const resource = (fields: object) => ({ resourceFieldRef: fields });
  const valid = { fieldRef: { fieldPath: 'metadata.name' } };
  const cannot = (path: string, why: string) =>
    `${from}.fieldRef.fieldPath: Invalid value: "${path}": error converting fieldPath: ${why}`;
  const one = (valueFrom: object, value?: string) => [{ name: 'A', valueFrom, ...(value && { value }) }];
  test.each<[value: unknown, faults: string[]]>([
    [[{ name: '', value: 'x' }], [`${env}[0].name: Required value`]],
    [
      [{ name: 'a=b' }],
      [
        `${env}[0].name: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than '='`,
      ],
    ],
    [[{ name: '1 .!' }], []],
    [
      one({}),
      [
        `${from}: Invalid value: "": must specify one of: \`fieldRef\`, \`resourceFieldRef\`, \`configMapKeyRef\`, \`secretKeyRef\` or \`fileKeyRef\``,
      ],
    ],
    [one(valid, 'x'), [`${from}: Invalid value: "": may not be specified when \`value\` is not empty`]],
    [
      one({ ...valid, secretKeyRef: { name: 's', key: 'k' } }),
      [`${from}: Invalid value: "": may not have more than one field specified at a time`],
    ],
    [one(ref('')), [`${from}.fieldRef.fieldPath: Required value`]],
    [one(ref('metadata.name', 'v2')), [cannot('metadata.name', 'unsupported pod version: v2')]],
    [one(ref('metadata.xyz')), [cannot('metadata.xyz', 'field label not supported: metadata.xyz')]],
    [
      one(ref("metadata.name['x']")),
      [cannot("metadata.name['x']", "field label does not support subscript: metadata.name['x']")],
    ],
    [
      one(ref('metadata.labels')),
      [`${from}.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: ${envFields}`],
    ],
    [
      one(ref('status.phase')),
      [`${from}.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: ${envFields}`],
    ],
    [one(ref("metadata.labels['a/b']")), []],
    [one(ref("metadata.labels['a b']")), [`${from}.fieldRef: Invalid value: "a b": ${qualified}`]],
    [one(ref("metadata.annotations['A.B/C']")), []],
    [one(resource({})), [`${from}.resourceFieldRef.resource: Required value`]],
    [
      one(resource({ resource: 'limits.gpu' })),
      [`${from}.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: ${resources}`],
    ],
    [
      one(resource({ resource: 'limits.cpu', divisor: '2' })),
      [
        `${from}.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor's values 1m and 1 are supported with the cpu resource`,
      ],
    ],
    // A divisor is compared in its canonical form.
    [one(resource({ resource: 'limits.cpu', divisor: '1000m' })), []],
    [
      one(resource({ resource: 'requests.memory', divisor: '1024' })),
      [
        `${from}.resourceFieldRef.divisor: Invalid value: "requests.memory": only divisor's values ${sizes} are supported with the memory resource`,
      ],
    ],
    [
      one(resource({ resource: 'limits.hugepages-2Mi', divisor: '3' })),
      [
        `${from}.resourceFieldRef.divisor: Invalid value: "limits.hugepages-2Mi": only divisor's values ${sizes} are supported with the hugepages resource`,
      ],
    ],
    [
      one({ configMapKeyRef: { key: 'a b' } }),
      [
        `${from}.configMapKeyRef.name: Invalid value: "": ${subdomain}`,
        `${from}.configMapKeyRef.key: Invalid value: "a b": ${key}`,
      ],
    ],
    [
      one({ secretKeyRef: { name: 'S' } }),
      [`${from}.secretKeyRef.name: Invalid value: "S": ${subdomain}`, `${from}.secretKeyRef.key: Required value`],
    ],
    [one({ fileKeyRef: { volumeName: 'files', path: 'p', key: 'K' } }), []],
    [
      one({ fileKeyRef: {} }),
      [
        `${from}.fileKeyRef.key: Required value`,
        `${from}.fileKeyRef.volumeName: Required value`,
        `${from}.fileKeyRef.path: Required value`,
        `${from}.fileKeyRef.volumeName: Not found: ""`,
      ],
    ],
    [
      one({ fileKeyRef: { volumeName: 'host', path: '../p', key: 'K' } }),
      [
        `${from}.fileKeyRef.path: Invalid value: "../p": must not contain '..'`,
        `${from}.fileKeyRef.volumeName: Invalid value: "host": referenced volume must be of type emptyDir`,
      ],
    ],
  ])('env = %j', (value, faults) => expect(find.onCreate(env, value)).toEqual(faults));
});

describe('whole objects', () => {
  const path = 'spec.containers[0].envFrom';
  test.each<FaultRow>([
    [path, [{}], [`${path}: Invalid value: "": must specify one of: \`configMapRef\` or \`secretRef\``]],
    [
      path,
      [{ configMapRef: {}, secretRef: { name: 's' } }],
      [
        `${path}[0].configMapRef.name: Required value`,
        `${path}: Invalid value: "": may not have more than one field specified at a time`,
      ],
    ],
    // As a prefix of generated names, a trailing dash is valid.
    [path, [{ configMapRef: { name: 'a-' } }], []],
    [path, [{ secretRef: { name: 'A' } }], [`${path}[0].secretRef.name: Invalid value: "A": ${subdomain}`]],
    [
      path,
      [{ prefix: 'a=', secretRef: { name: 's' } }],
      [
        `${path}[0].prefix: Invalid value: "a=": a valid environment variable name must consist only of printable ASCII characters other than '='`,
      ],
    ],
    [path, [{ prefix: '', secretRef: { name: 's' } }], []],
  ])('%s = %j', (at, value, faults) => expect(find.onCreate(at, value)).toEqual(faults));
});
