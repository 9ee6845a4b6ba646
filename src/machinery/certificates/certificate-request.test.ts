import { describe, expect, test } from 'vitest';
import { parseCertificateRequest } from './certificate-request.ts';
import { objectIdentifier, readAll, readOne } from './der.ts';
import { decodePem, decodePemAll, encodePem } from './pem.ts';

/** By openssl: -subj /O=one/O=two/OU=unit/CN=jane, with a name of every sort. */
const withNames = `-----BEGIN CERTIFICATE REQUEST-----
MIIBUzCB+gIBADA6MQwwCgYDVQQKDANvbmUxDDAKBgNVBAoMA3R3bzENMAsGA1UE
CwwEdW5pdDENMAsGA1UEAwwEamFuZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
BK2X6bh8FFk1sEfd9OtggwVh6BVnRVDrtZ0ObYbJeRC8aDsJB8eP1SmIlxIr5bBr
3tXD4UueeRVomvWWYEcovUKgXjBcBgkqhkiG9w0BCQ4xTzBNMEsGA1UdEQREMEKC
BmEudGVzdIIIKi5iLnRlc3SHBAoAAAGHEP0AAAAAAAAAAAAAAAAAAAGBCHhAeS50
ZXN0hgxzcGlmZmU6Ly9hL2IwCgYIKoZIzj0EAwIDSAAwRQIgWzf9YTO0+P70lns9
bdO0MaaJwAlTaEQaZ9awGW0gCJ0CIQDBT1i2Jn/2GO/LsnIZGGDgEqdqzmNoq0gr
QsVsqvZd8g==
-----END CERTIFICATE REQUEST-----
`;
/** By openssl: an RSA key and -utf8 -subj /CN=jürgen. */
const withRsa = `-----BEGIN CERTIFICATE REQUEST-----
MIICVzCCAT8CAQAwEjEQMA4GA1UEAwwHasO8cmdlbjCCASIwDQYJKoZIhvcNAQEB
BQADggEPADCCAQoCggEBALJXKLjjdSNTo803WkyDDkZ0HMm0NFqNPakVDhjWAYGU
be64Ocx74HHg77LxYCL4ZP26kOGRELJvD3+46TutTAmqbJQKM0J3mA6f72vhnfQ2
Pv0s3QAkfhSUqGO9d0tW8VOLEcSzegJY0ehiK9TuQe9ZXcGWX2LticHu9rOwwgzY
/QtQj0NDv3W1yTFKdcSyX7/RH/UDRNudcZpOQgNKXcovtl4s/AxGW3jwppxplIYj
MV2BfymHDSTRPAs01VHDH1PMj8wKuT4GSHSskl55imblTQdLiz6/Bca8cebll5r4
4djY4Qy036i5IFULgEjYMaCBpvZSoh2fas3941c8ry0CAwEAAaAAMA0GCSqGSIb3
DQEBCwUAA4IBAQBF4Zu2wXHdxWXJct8xhuBVY3KE079QYAgNmb7HHb/kV/rVhESi
OXESmkjOnkCqjbYZPeeUAJuPLjrjAl7goQ5DLqXaLIFzDQw+mD/riUkQdm0ip3o/
fprW3PrLzQoZ1HZjQyLf5QhZ5Urqx+lzlp61KsPTfL8sH2jJny96LcG1rBOO1eVU
68O/znNv0O05JFOx7rwch7mgVdYLuLj2yJM9GwGtRjXgBKa//nrZuwgYnKYxE7dx
FmjLVUnqXbqH2f2ql1/nyxuMcosH3gRE6Jd4ND+RjRoicJTJDJC+T96pJwAHqkQb
QZ/W1Qi+S/pWjgiabFPT+Fn66hY6pA99jZ4n
-----END CERTIFICATE REQUEST-----
`;

describe('a request by openssl', () => {
  test('gives its names', () =>
    expect(parseCertificateRequest(withNames)).toMatchObject({
      commonName: 'jane',
      organizations: ['one', 'two'],
      dnsNames: ['a.test', '*.b.test'],
      ipAddresses: ['10.0.0.1', 'fd00::1'],
      emailAddresses: ['x@y.test'],
      uris: ['spiffe://a/b'],
      keyAlgorithm: '1.2.840.10045.2.1',
      signatureAlgorithm: '1.2.840.10045.4.3.2',
    }));

  test('may have an RSA key, letters beyond ASCII, and no names', () =>
    expect(parseCertificateRequest(withRsa)).toMatchObject({
      commonName: 'jürgen',
      organizations: [],
      dnsNames: [],
      keyAlgorithm: '1.2.840.113549.1.1.1',
    }));

  test('may follow text, and have Windows’ line ends', () => {
    expect(parseCertificateRequest(`Certificate Request:\n  Data: x\n${withNames}`).commonName).toBe('jane');
    expect(parseCertificateRequest(withNames.replaceAll('\n', '\r\n')).commonName).toBe('jane');
  });

  test('cut off anywhere is refused and never misread', () => {
    const { bytes } = decodePem(withNames)!;
    for (let length = 0; length < bytes.length; length++)
      expect(() => parseCertificateRequest(encodePem('CERTIFICATE REQUEST', bytes.subarray(0, length)))).toThrow();
    for (let at = 0; at < bytes.length; at++) {
      const changed = Uint8Array.from(bytes, (byte, index) => (index === at ? byte ^ 0xff : byte));
      try {
        parseCertificateRequest(encodePem('CERTIFICATE REQUEST', changed));
      } catch (error) {
        expect((error as Error).name).toBe('DerError');
      }
    }
  });
});

test.each<[string, string, string]>([
  ['nothing', '', 'PEM block type must be CERTIFICATE REQUEST'],
  ['another block', encodePem('CERTIFICATE', new Uint8Array(1)), 'PEM block type must be CERTIFICATE REQUEST'],
  [
    'an empty sequence',
    encodePem('CERTIFICATE REQUEST', Uint8Array.of(0x30, 0)),
    'asn1: structure error: sequence truncated',
  ],
  [
    'too long a length',
    encodePem('CERTIFICATE REQUEST', Uint8Array.of(0x30, 5, 1)),
    'asn1: syntax error: data truncated',
  ],
  ['trailing data', encodePem('CERTIFICATE REQUEST', Uint8Array.of(0x30, 0, 0)), 'asn1: syntax error: trailing data'],
])('%s is refused', (_, pem, message) => expect(() => parseCertificateRequest(pem)).toThrow(message));

describe('PEM', () => {
  const block = encodePem('X', Uint8Array.of(1, 2, 3));

  test.each<[string, string, string | undefined]>([
    ['a block', block, 'X'],
    ['text before it', `hello\n${block}`, 'X'],
    ['headers', '-----BEGIN X-----\nA: b\nC: d\n\nAQID\n-----END X-----\n', 'X'],
    ['no line break at the end', block.trimEnd(), 'X'],
    ['not at the beginning of a line', ` ${block}`, undefined],
    ['another end', block.replace('END X', 'END Y'), undefined],
    ['no end', block.slice(0, 30), undefined],
    ['something behind the end', `${block.trimEnd()} x\n`, undefined],
    ['no base64', '-----BEGIN X-----\n!!!!\n-----END X-----\n', undefined],
    ['an unreadable block before it', `-----BEGIN Y-----\n!\n-----END Y-----\n${block}`, 'X'],
    ['an empty block', '-----BEGIN X-----\n-----END X-----\n', 'X'],
  ])('%s', (_, text, type) => expect(decodePem(text)?.type).toBe(type));

  test('blocks follow each other', () => {
    expect([...decodePemAll(block + block.replaceAll('X', 'Y'))].map(({ type }) => type)).toEqual(['X', 'Y']);
    expect(decodePem('-----BEGIN X-----\nA: b\n\nAQID\n-----END X-----\n')).toMatchObject({
      headers: { A: 'b' },
      bytes: Uint8Array.of(1, 2, 3),
    });
  });

  test('a hundred thousand beginnings without an end take no time', () => {
    const begin = performance.now();
    expect(decodePem('-----BEGIN X-----\n'.repeat(100_000))).toBeUndefined();
    expect(performance.now() - begin).toBeLessThan(500);
  });
});

test.each<[string, number[]]>([
  ['indefinite length', [0x30, 0x80, 0, 0]],
  ['a length that is longer than needed', [0x04, 0x81, 1, 0]],
  ['five octets of length', [0x04, 0x85, 0, 0, 0, 0, 1]],
  ['a high tag number', [0x1f, 1, 0]],
])('DER refuses %s', (_, bytes) => expect(() => readAll(Uint8Array.from(bytes))).toThrow('asn1'));

test('object identifiers', () => {
  expect(objectIdentifier(readOne(Uint8Array.of(6, 3, 0x55, 4, 3)))).toBe('2.5.4.3');
  expect(objectIdentifier(readOne(Uint8Array.of(6, 3, 0x88, 0x37, 3)))).toBe('2.999.3');
});
