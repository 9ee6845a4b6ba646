// Formats of strings, as kube-openapi's strfmt checks them for Kubernetes.

import { describe, expect, test } from 'vitest';
import { hasFormat, isSupportedFormat } from './formats.ts';

const cases: Readonly<Record<string, { valid: readonly string[]; invalid: readonly string[] }>> = {
  bsonobjectid: {
    valid: ['507f1f77bcf86cd799439011', '507F1F77BCF86CD799439011'],
    invalid: ['507f1f77bcf86cd79943901', '507f1f77bcf86cd79943901z', ''],
  },
  uri: {
    valid: ['http://example.com', 'https://a:8080/b?c#d', '/absolute', 'urn:a:b', 'http://[::1]:80/', 'http://u:p@h/'],
    invalid: ['relative', '', 'http://a b/', 'http://h/%zz', 'http://h:port/', '://h', '1http://h', 'http://h/\n'],
  },
  email: {
    valid: ['a@b', 'a.b+c@example.com', 'Name <a@b.c>', '"a b"@c.d'],
    invalid: ['a', '@b', 'a@', 'a b@c', '.a@b', 'a@b c'],
  },
  hostname: {
    valid: ['a', 'example.com', 'a-b.example.com', 'somewhere.com', 'müller.de', 'x'.repeat(63)],
    invalid: ['', '-a.com', 'a..com', 'a_b.com', `${'x'.repeat(64)}.com`, 'a.com.'],
  },
  ipv4: { valid: ['1.2.3.4', '010.0.0.1', '::ffff:1.2.3.4'], invalid: ['1.2.3', '1.2.3.256', '::1', '1.2.3.4/8'] },
  ipv6: { valid: ['::1', 'fd00::a', '::ffff:1.2.3.4'], invalid: ['1.2.3.4', 'fd00::a::1', 'fe80::1%eth0', ':::'] },
  cidr: {
    valid: ['10.0.0.0/8', '10.0.0.1/32', '::/0', '010.0.0.0/8'],
    invalid: ['10.0.0.0', '10.0.0.0/33', '::/129', '/8'],
  },
  mac: {
    valid: ['01:23:45:67:89:ab', '01-23-45-67-89-AB', '0123.4567.89ab', '01:23:45:67:89:ab:cd:ef'],
    invalid: ['01:23:45:67:89', '01:23:45-67:89:ab', '0123456789ab', 'g1:23:45:67:89:ab'],
  },
  uuid: {
    valid: ['123e4567-e89b-12d3-a456-426614174000', '123E4567E89B12D3A456426614174000'],
    invalid: ['123e4567-e89b-12d3-a456-42661417400', 'x23e4567-e89b-12d3-a456-426614174000'],
  },
  uuid3: { valid: ['bcd02e22-68f0-3046-a512-327cca9def8f'], invalid: ['bcd02e22-68f0-4046-a512-327cca9def8f'] },
  uuid4: { valid: ['025b0d74-00a2-4048-bf57-227c5111bb34'], invalid: ['025b0d74-00a2-4048-cf57-227c5111bb34'] },
  uuid5: { valid: ['886313e1-3b8a-5372-9b90-0c9aee199e5d'], invalid: ['886313e1-3b8a-4372-9b90-0c9aee199e5d'] },
  isbn10: { valid: ['0321751043', '0-321-75104-3', '080442957X'], invalid: ['0321751044', '032175104', '080442957x'] },
  isbn13: { valid: ['978-0321751041', '978 3401013190'], invalid: ['978-0321751042', '9780321751'] },
  isbn: { valid: ['0321751043', '978-0321751041'], invalid: ['0321751044', '836217463'] },
  creditcard: {
    valid: ['4111-1111-1111-1111', '5555 5555 5555 4444', '378282246310005'],
    invalid: ['4111-1111-1111-1112', '9999-9999-9999-9999', '4111'],
  },
  ssn: { valid: ['111-11-1111', '111 11 1111'], invalid: ['111111111', '111-11-111', '111_11_1111'] },
  hexcolor: { valid: ['#fff', 'FFF', '#FFaa00'], invalid: ['#ffff', '#ggg', 'fffffff'] },
  rgbcolor: {
    valid: ['rgb(0,0,0)', 'rgb(255, 100 ,9)', 'rgb( 1,2,3)'],
    invalid: ['rgb(256,0,0)', 'rgb(1,2)', 'rgb(1,2,3,4)', 'rgb(1,2,3,)', 'rgb (1,2,3)', 'rgb(01,2,3)'],
  },
  byte: { valid: ['YQ==', 'YWI=', 'YWJj'], invalid: ['YQ', 'YQ=', 'YW-_', 'Y Q=='] },
  password: { valid: ['', 'anything at all'], invalid: [] },
  date: {
    valid: ['2026-01-31', '2024-02-29'],
    invalid: ['2026-02-29', '2026-1-1', '2026-13-01', '2026-01-01T00:00:00Z'],
  },
  'date-time': {
    valid: ['2026-01-01T12:00:00Z', '2026-01-01t12:00:00z', '2026-01-01T12:00:00.123+02:00'],
    invalid: [
      '2026-01-01',
      '2026-01-01T24:00:00Z',
      '2026-01-01T12:60:00Z',
      '2026-01-01T12:00:00',
      '2026-02-30T12:00:00Z',
    ],
  },
  duration: {
    valid: ['1h30m', '0', '-1.5s', '.5ms', '1d', '3 weeks', '2 hours', '5µs'],
    invalid: ['', '1', 'abc', '1 x', '99999999999999999999 d'],
  },
  'k8s-short-name': { valid: ['a', 'a-1', 'x'.repeat(63)], invalid: ['', '-a', 'a-', 'A', 'a.b', 'x'.repeat(64)] },
  'k8s-long-name': { valid: ['a', 'a.b-c.d'], invalid: ['', 'a..b', '-a.b', 'A.b', `${'x'.repeat(254)}`] },
};

describe.each(Object.entries(cases))('%s', (format, { valid, invalid }) => {
  test('takes', () => expect(valid.filter((text) => !hasFormat(format, text))).toEqual([]));
  test('refuses', () => expect(invalid.filter((text) => hasFormat(format, text))).toEqual([]));
});

test.each(['datetime', 'date-time', 'd-atetime'])('%s is date-time: dashes do not count', (format) =>
  expect([hasFormat(format, '2026-01-01T12:00:00Z'), hasFormat(format, 'x')]).toEqual([true, false]),
);

test('an unknown format takes every string', () => expect(hasFormat('zip-code', 'x')).toBe(true));

test.each([
  ['string', 'date-time', true],
  [undefined, 'ipv4', true],
  ['string', 'int32', false],
  ['integer', 'int32', true],
  ['integer', 'int64', true],
  ['integer', 'double', false],
  ['number', 'float', true],
  ['number', 'double', true],
  ['number', 'int32', false],
  ['boolean', 'byte', false],
])('a value of type %s with the format %s is checked: %j', (type, format, wanted) =>
  expect(isSupportedFormat(type, format)).toBe(wanted),
);
