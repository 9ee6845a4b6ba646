import { expect, test } from 'vitest';
import type { ApiObject } from '../../api/api.ts';
import { shareFields } from './shared-fields.ts';

const podOwnedBy = (fieldsV1: object): ApiObject =>
  ({ metadata: { name: 'a', managedFields: [{ manager: 'm', fieldsV1 }] } }) as unknown as ApiObject;
const fieldsOf = (object: ApiObject): any => object.metadata.managedFields![0].fieldsV1;
const status = (ip: string) => ({
  'f:status': {
    'f:conditions': { 'k:{"type":"Ready"}': { '.': {}, 'f:status': {} } },
    'f:podIPs': { [`k:{"ip":"${ip}"}`]: { '.': {}, 'f:ip': {} } },
  },
});

test('equal owners are kept once', () => {
  const [a, b] = [podOwnedBy({ 'f:data': { 'f:a': {} } }), podOwnedBy({ 'f:data': { 'f:a': {} } })];
  shareFields(a);
  shareFields(b);
  expect(fieldsOf(b)).toBe(fieldsOf(a));
});

test('equal parts of owners that differ by an address are stored once, without loss', () => {
  const [a, b] = ['10.0.0.1', '10.0.0.2'].map((ip) => podOwnedBy(status(ip)));
  shareFields(a);
  shareFields(b);
  expect(fieldsOf(a)).toEqual(status('10.0.0.1'));
  expect(fieldsOf(b)).toEqual(status('10.0.0.2'));
  expect(fieldsOf(b)['f:status']['f:conditions']).toBe(fieldsOf(a)['f:status']['f:conditions']);
  expect(fieldsOf(b)['f:status']['f:podIPs']).not.toBe(fieldsOf(a)['f:status']['f:podIPs']);
});

test('equal parts under other names are different', () => {
  const [a, b] = [podOwnedBy({ 'f:x': { 'f:a': {} } }), podOwnedBy({ 'f:y': { 'f:a': {} } })];
  shareFields(a);
  shareFields(b);
  expect([fieldsOf(a), fieldsOf(b)]).toEqual([{ 'f:x': { 'f:a': {} } }, { 'f:y': { 'f:a': {} } }]);
  expect(fieldsOf(b)['f:y']).toBe(fieldsOf(a)['f:x']);
});
