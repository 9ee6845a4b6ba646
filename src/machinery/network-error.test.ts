import { expect, test } from 'vitest';
import { connectionError } from './network-error.ts';

const names = (subjectaltname?: string) => ({ code: 'ERR_TLS_CERT_ALTNAME_INVALID', cert: { subjectaltname } });
const tls = 'tls: failed to verify certificate: x509: ';

test.each<[object, string, string]>([
  [{ code: 'ECONNREFUSED' }, '10.0.0.1', 'dial tcp 10.0.0.1:443: connect: connection refused'],
  [{ code: 'ECONNREFUSED' }, '::1', 'dial tcp [::1]:443: connect: connection refused'],
  [{ code: 'EHOSTUNREACH' }, '10.0.0.1', 'dial tcp 10.0.0.1:443: connect: no route to host'],
  [{ code: 'ENOTFOUND' }, 'a.test', 'dial tcp: lookup a.test: no such host'],
  [{ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }, 'a.test', `${tls}certificate signed by unknown authority`],
  [{ code: 'CERT_HAS_EXPIRED' }, 'a.test', `${tls}certificate has expired or is not yet valid`],
  [
    names('DNS:b.test, DNS:c.test, IP Address:10.0.0.2'),
    'a.test',
    `${tls}certificate is valid for b.test, c.test, not a.test`,
  ],
  [names('DNS:b.test, IP Address:10.0.0.2'), '10.0.0.1', `${tls}certificate is valid for 10.0.0.2, not 10.0.0.1`],
  [
    names('DNS:b.test'),
    '10.0.0.1',
    `${tls}cannot validate certificate for 10.0.0.1 because it doesn't contain any IP SANs`,
  ],
  [names(), 'a.test', `${tls}certificate is not valid for any names, but wanted to match a.test`],
  [{ code: 'EPIPE' }, 'a.test', 'as it is'],
])('%j at %s', (error, host, message) => {
  expect(connectionError(Object.assign(new Error('as it is'), error), host, 443).message).toBe(message);
});
