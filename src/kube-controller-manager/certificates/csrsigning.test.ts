import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { makeAuthority } from '../../cluster/certificates/certificates.ts';
import {
  type Asked,
  clientUsages,
  dayMs,
  hourMs,
  kubeletSigner,
  minuteMs,
  nodeSubject,
  servingSigner,
  servingUsages,
  signingCluster,
} from './test-signing.ts';

const cluster = signingCluster();
const { ask, decide, read, signed, failed, quiet, skipAhead } = cluster;

describe('signing', () => {
  test('an approved request is signed by the CA, with its names, for a year', async () => {
    const name = await ask({ subject: [{ O: ['b', 'a'] }, { CN: ['jane'] }], key: 'rsa' });
    expect(await quiet(name)).toEqual({});
    await decide(name);
    const certificate = await signed(name);
    expect(certificate.verify(new X509Certificate(cluster.ca.cert).publicKey)).toBe(true);
    expect(certificate.toLegacyObject().subject).toEqual({ O: ['b', 'a'], CN: 'jane' });
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.ca).toBe(false);
    const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
    expect(to - from).toBe(365 * dayMs);
    expect(Math.round((cluster.clock.now() - from) / minuteMs)).toBe(5);
  });

  test.each([
    [600, 10 * minuteMs],
    [3_600, hourMs],
    [8 * 3_600, 8 * hourMs - 5 * minuteMs],
    [100 * 24 * 3_600, 100 * dayMs - 5 * minuteMs],
    [2 * 365 * 24 * 3_600, 365 * dayMs - 5 * minuteMs],
  ])('for %i s on request', async (expirationSeconds, rest) => {
    const name = await ask({ expirationSeconds });
    await decide(name);
    const { validTo } = await signed(name);
    expect(Math.abs(Date.parse(validTo) - cluster.clock.now() - rest)).toBeLessThan(2_000);
  });

  test('a kubelet’s serving certificate has its addresses', async () => {
    const names = [
      { type: 'dns', value: 'a' },
      { type: 'ip', value: '10.0.0.1' },
      { type: 'ip', value: 'fd00::1' },
    ] as const;
    const name = await ask({ signer: servingSigner, usages: servingUsages, subject: nodeSubject, names });
    await decide(name);
    expect((await signed(name)).subjectAltName).toBe('DNS:a, IP Address:10.0.0.1, IP Address:FD00:0:0:0:0:0:0:1');
  });

  test.each<[string, Asked, string]>([
    ['a client’s other usage', { usages: ['server auth'] }, 'invalid usage for client certificate: server auth'],
    [
      'no client usage',
      { usages: ['digital signature'] },
      'missing required usage for client certificate: client auth',
    ],
    [
      'a serving certificate without names',
      { signer: servingSigner, usages: servingUsages, subject: nodeSubject },
      'DNS or IP subjectAltName is required',
    ],
    [
      'a serving certificate of no node',
      {
        signer: servingSigner,
        usages: servingUsages,
        subject: [{ O: ['system:nodes'] }, { CN: ['a'] }],
        names: [{ type: 'dns', value: 'a' }],
      },
      'subject common name does not begin with system:node:',
    ],
    [
      'a serving certificate with an address of mail',
      {
        signer: servingSigner,
        usages: servingUsages,
        subject: nodeSubject,
        names: [
          { type: 'dns', value: 'a' },
          { type: 'email', value: 'a@b.test' },
        ],
      },
      'Email subjectAltNames are not allowed',
    ],
    [
      'a serving certificate with another usage',
      { signer: servingSigner, usages: clientUsages, subject: nodeSubject, names: [{ type: 'dns', value: 'a' }] },
      'usages did not match [digital signature key encipherment server auth]',
    ],
    [
      'a kubelet of another group',
      { signer: kubeletSigner, subject: [{ O: ['system:masters'] }, { CN: ['system:node:a'] }] },
      'subject organization is not system:nodes',
    ],
    [
      'a kubelet of two groups',
      { signer: kubeletSigner, subject: [{ O: ['system:nodes', 'system:masters'] }, { CN: ['system:node:a'] }] },
      'subject organization is not system:nodes',
    ],
    [
      'a kubelet’s client certificate with names',
      { signer: kubeletSigner, subject: nodeSubject, names: [{ type: 'dns', value: 'a' }] },
      'DNS subjectAltNames are not allowed',
    ],
    [
      'a kubelet’s client certificate with a path',
      { signer: kubeletSigner, subject: nodeSubject, names: [{ type: 'url', value: 'spiffe://a' }] },
      'URI subjectAltNames are not allowed',
    ],
    [
      'a kubelet’s client certificate with another usage',
      { signer: kubeletSigner, subject: nodeSubject, usages: servingUsages },
      'usages did not match [client auth digital signature key encipherment]',
    ],
  ])('%s fails', async (_, asked, message) => {
    const name = await ask(asked);
    await decide(name);
    expect(await failed(name)).toMatchObject({ status: 'True', reason: 'SignerValidationFailure', message });
    expect((await read(name))?.status.certificate).toBeUndefined();
  });

  test('denied requests and those of other signers are left alone', async () => {
    const denied = await ask();
    await decide(denied, 'Denied');
    const foreign = await ask({ signer: 'example.com/x' });
    await decide(foreign);
    expect((await quiet(denied)).certificate).toBeUndefined();
    expect((await quiet(foreign)).certificate).toBeUndefined();
  });

  test('a certificate expires with the CA, and an expired CA does not sign', async () => {
    cluster.ca = await makeAuthority(cluster.clock.now() - 3_649 * dayMs);
    const name = await ask();
    await decide(name);
    expect((await signed(name)).validTo).toBe(new X509Certificate(cluster.ca.cert).validTo);
    await skipAhead(25 * hourMs);
    const late = await ask();
    await decide(late);
    expect((await quiet(late)).certificate).toBeUndefined();
  });
});
