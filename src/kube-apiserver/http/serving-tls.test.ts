import { beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../machinery/random.ts';
import { mustBeClear } from '../../machinery/test-mutated.ts';
import fc from '../../machinery/test-property.ts';
import { type TestAuthority, type TestPair, testAuthority } from '../testing/test-certificates.ts';
import { ServingTls } from './serving-tls.ts';

let authority: TestAuthority;
let pair: TestPair;
let other: TestPair;
beforeAll(async () => {
  authority = await testAuthority();
  pair = await authority.issue('CN=a', ['a.example']);
  other = await authority.issue('CN=other.example', ['b.example', '*.c.example', '192.0.2.1']);
});

const serving = (more: object = {}) =>
  new ServingTls({ ...pair, clientCa: authority.ca, ...more }, () => undefined, seededRandom(1));

describe('the certificate for a host name', () => {
  const named = (...names: string[]) => ({ ...other, ...(names.length > 0 && { names }) });
  test.each([
    { case: 'names in the certificate', names: [], host: 'b.example', found: true },
    { case: 'its common name', names: [], host: 'other.example', found: true },
    { case: 'a wildcard', names: [], host: 'x.c.example', found: true },
    { case: 'one label only', names: [], host: 'x.y.c.example', found: false },
    { case: 'no wildcard without a label', names: [], host: 'c.example', found: false },
    { case: 'no address', names: [], host: '192.0.2.1', found: false },
    { case: 'given names alone', names: ['d.example'], host: 'b.example', found: false },
    { case: 'a given name', names: ['D.example'], host: 'd.EXAMPLE.', found: true },
  ])('$case', ({ names, host, found }) => {
    expect(serving({ named: [named(...names)] }).contextFor(host) !== undefined).toBe(found);
  });
});

test('invalid certificates and keys are refused, and the previous ones stay', () => {
  const tls = serving({ named: [{ ...other, names: ['d.example'] }] });
  const texts = () => [pair.cert, pair.key, other.cert, other.key, authority.ca];
  const spoilt = fc.tuple(fc.nat(4), fc.nat(2_000), fc.string()).map(([index, at, text]) => {
    const valid = texts()[index];
    const place = at % valid.length;
    return valid.slice(0, place) + text + valid.slice(place + text.length);
  });
  const text = fc.oneof(
    fc.nat(4).map((index) => texts()[index]),
    spoilt,
    fc.string(),
  );
  const change = fc.record({ cert: text, key: text, named: fc.array(fc.record({ cert: text, key: text })) });
  fc.assert(
    fc.property(change, (next) => {
      const before = [tls.secureContext().cert, tls.contextFor('d.example'), tls.generation];
      try {
        tls.replace(next);
      } catch (error) {
        mustBeClear((error as Error).message);
        expect([tls.secureContext().cert, tls.contextFor('d.example'), tls.generation]).toEqual(before);
        return;
      }
      // Only a certificate with its own key is usable.
      expect([pair.key, other.key].includes(next.key) || next.key.includes('PRIVATE KEY')).toBe(true);
      tls.replace({ ...pair, named: [{ ...other, names: ['d.example'] }] });
    }),
    { numRuns: 300 },
  );
});

test('new authorities begin a new generation; the same ones do not', async () => {
  const tls = serving();
  expect(tls.replace({ clientCa: authority.ca })).not.toHaveProperty('ticketKeys');
  expect(tls.generation).toBe(0);
  expect(tls.replace({ clientCa: (await testAuthority('CN=next')).ca })).toHaveProperty('ticketKeys');
  expect(tls.generation).toBe(1);
});
