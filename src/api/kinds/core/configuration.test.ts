import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../test-faults.ts';

describe('secrets', () => {
  const docker = (type: string, key: string, text?: string) => ({
    type: `kubernetes.io/${type}`,
    ...(text !== undefined && { stringData: { [key]: text } }),
  });
  const redacted = (key: string, why: string) => `data[${key}]: Invalid value: "<secret contents redacted>": ${why}`;
  const noMap = (type: string) => `json: cannot unmarshal ${type} into Go value of type map[string]interface {}`;
  test.each<[secret: object, faults: string[]]>([
    [docker('dockercfg', '.dockercfg'), ['data[.dockercfg]: Required value']],
    [docker('dockercfg', '.dockercfg', '{}'), []],
    [docker('dockercfg', '.dockercfg', 'null'), []],
    [docker('dockercfg', '.dockercfg', '[]'), [redacted('.dockercfg', noMap('array'))]],
    [docker('dockerconfigjson', '.dockerconfigjson', '1'), [redacted('.dockerconfigjson', noMap('number'))]],
    [docker('dockerconfigjson', '.dockerconfigjson', '"x"'), [redacted('.dockerconfigjson', noMap('string'))]],
    [
      docker('dockerconfigjson', '.dockerconfigjson', ''),
      [redacted('.dockerconfigjson', 'unexpected end of JSON input')],
    ],
    [
      docker('dockerconfigjson', '.dockerconfigjson', 'x'),
      [redacted('.dockerconfigjson', "invalid character 'x' looking for beginning of value")],
    ],
    [docker('basic-auth', 'username'), ['data[username]: Required value', 'data[password]: Required value']],
    [docker('basic-auth', 'username', ''), []],
    [docker('ssh-auth', 'ssh-privatekey', ''), ['data[ssh-privatekey]: Required value']],
    [docker('tls', 'tls.crt', ''), ['data[tls.key]: Required value']],
    [
      docker('service-account-token', 'token'),
      ['metadata.annotations[kubernetes.io/service-account.name]: Required value'],
    ],
    [{ type: 'odd', data: {} }, []],
    [{ stringData: { a: 'x'.repeat(1024 * 1024) } }, []],
    [{ stringData: { a: 'x'.repeat(1024 * 1024 + 1) } }, ['data: Too long: may not be more than 1048576 bytes']],
    [{ data: { '..': '' } }, ['data[..]: Invalid value: "..": must not be \'..\'']],
  ])('%j', (secret, faults) =>
    expect(faultFinder('v1/secrets', { metadata: { name: 'x' }, ...secret }).onCreate('metadata.name', 'x')).toEqual(
      faults,
    ),
  );

  const fixed = 'Forbidden: field is immutable when `immutable` is set';
  test.each<FaultRow>([
    ['type', 'other', ['type: Invalid value: "other": field is immutable']],
    ['type', undefined, ['type: Invalid value: "Opaque": field is immutable']],
    ['immutable', false, [`immutable: ${fixed}`]],
    ['data', { a: 'eA==' }, [`data: ${fixed}`]],
    ['metadata.labels', { a: 'b' }, []],
  ])('immutable: %s = %j', (path, value, faults) =>
    expect(
      faultFinder('v1/secrets', { metadata: { name: 'x' }, type: 'odd', immutable: true }).onUpdate(path, value),
    ).toEqual(faults),
  );
});

describe('config maps', () => {
  const find = faultFinder('v1/configmaps', { metadata: { name: 'x' } });
  test.each<FaultRow>([
    ['binaryData', { a: btoa('x'.repeat(1024 * 1024)) }, []],
    ['binaryData', { a: btoa('x'.repeat(1024 * 1024 + 1)) }, [': Too long: may not be more than 1048576 bytes']],
    [
      'data',
      { '.': '', 'a/b': '' },
      [
        'data[.]: Invalid value: ".": must not be \'.\'',
        "data[a/b]: Invalid value: \"a/b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      ],
    ],
  ])('%s', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});
