import { webcrypto, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { x509 } from '../../cluster/certificates/certificate-authority.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { anonymous, clientCertificates } from '../access/authentication.ts';
import { clientCertificate } from './client-certificate.ts';

const metrics = new Metrics();

const uid = '1.3.6.1.4.1.57683.2';

async function userOf(name: any) {
  const library = await x509();
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as any;
  const certificate = await library.X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    signingAlgorithm: algorithm,
  });
  const { raw, fingerprint256 } = new X509Certificate(certificate.toString('pem'));
  const connection = { remoteAddress: '', ...clientCertificate({ raw, fingerprint256 }) };
  const user = await clientCertificates.authenticate({ connection, server: { clock: systemClock, metrics } } as never);
  return (
    connection.certificateFault ??
    (user && { name: user.name, groups: user.groups, ...(user.uid && { uid: user.uid }) })
  );
}

test.each<[string, any, unknown]>([
  ['a name', [{ CN: ['jane'] }], { name: 'jane', groups: ['system:authenticated'] }],
  [
    'groups',
    [{ O: ['a'] }, { O: ['b', 'c'] }, { CN: ['jane'] }],
    { name: 'jane', groups: ['a', 'b', 'c', 'system:authenticated'] },
  ],
  [
    'two names: the last one counts',
    [{ CN: ['jane'] }, { CN: ['joe'] }],
    { name: 'joe', groups: ['system:authenticated'] },
  ],
  ['no name: no user', [{ O: ['system:masters'] }], undefined],
  ['an empty subject', [], undefined],
  [
    'a uid',
    [{ CN: ['jane'] }, { [uid]: [{ utf8String: '42' }] }],
    { name: 'jane', groups: ['system:authenticated'], uid: '42' },
  ],
  [
    'two uids',
    [{ CN: ['jane'] }, { [uid]: [{ utf8String: '42' }] }, { [uid]: [{ utf8String: '43' }] }],
    'the certificate has no single uid',
  ],
  [
    'letters beyond ASCII',
    [{ O: ['Müller'] }, { CN: ['jürgen'] }],
    { name: 'jürgen', groups: ['Müller', 'system:authenticated'] },
  ],
  [
    'text that looks like a second part of the name',
    [{ CN: ['jane\nO=system:masters, CN=x'] }],
    { name: 'jane\nO=system:masters, CN=x', groups: ['system:authenticated'] },
  ],
])('%s', async (_, name, user) => expect(await userOf(name)).toEqual(user));

test('an invalid certificate is a fault', () =>
  expect(clientCertificate({ raw: Buffer.from('x'), fingerprint256: '' }).certificateFault).toBeDefined());

test('a certificate that has ended is refused, though its connection still lives', async () => {
  const certificate = { commonName: 'jane', organizations: [], fingerprint: '', notAfterMs: 1_000 };
  const at = (now: number) =>
    ({
      headers: {},
      warnings: [],
      connection: { remoteAddress: '', certificate },
      server: { clock: { now: () => now }, metrics },
    }) as never;
  expect((await clientCertificates.authenticate(at(999)))?.name).toBe('jane');
  expect(await clientCertificates.authenticate(at(1_000))).toBeUndefined();
  expect(metrics.text()).toMatch(/^apiserver_client_certificate_expiration_seconds_bucket\{le="0"\} 1$/m);
  await expect(anonymous.authenticate(at(1_000))).rejects.toMatchObject({ code: 401 });
});
