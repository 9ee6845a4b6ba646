// Authentication and authorization with real kubectl: a custom CA, certificates signed with it, and rights that users
// cannot escalate.

import { createPrivateKey, webcrypto } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { x509 } from '../../src/cluster/certificates/certificate-authority.ts';
import { eventually, Machine, whyNot } from './machine.ts';

const reason = whyNot();
const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) };

async function newKeys() {
  const keys = (await webcrypto.subtle.generateKey(rsa, true, ['sign', 'verify'])) as any;
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return { keys, pem: key.export({ type: 'pkcs1', format: 'pem' }) as string };
}

describe.skipIf(reason)(`access${reason ? `: ${reason}` : ''}`, () => {
  let machine: Machine;
  const place = (name: string) => path.join(machine.directory, name);
  const up = () => machine.coracle('up', '--data-dir', place('x'), '--runtime', 'simulated', '--port', '0');

  beforeAll(async () => {
    machine = new Machine();
    mkdirSync(place('x/pki'), { recursive: true });
    const library = await x509();
    const { keys, pem } = await newKeys();
    const certificate = await library.X509CertificateGenerator.createSelfSigned({
      // Bytes that an issuer must repeat exactly, or Go finds no chain.
      name: [{ O: [{ utf8String: 'plain' } as never, 'Müller & Söhne'] }, { CN: [{ utf8String: 'my ca' } as never] }],
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 86_400_000 * 1_000),
      signingAlgorithm: rsa,
      keys,
      extensions: [new library.BasicConstraintsExtension(true, undefined, true)],
    });
    writeFileSync(place('x/pki/ca.crt'), certificate.toString('pem'));
    writeFileSync(place('x/pki/ca.key'), pem);
    const { code, stdout, stderr } = await up();
    expect(code, `${stdout}${stderr}`).toBe(0);
    machine.kubeconfig = place('x/kubeconfig');
  });
  afterAll(async () => {
    await machine?.coracle('down', '--delete', '--data-dir', place('x'));
    machine?.dispose();
  });

  test('a CA that was brought is the cluster’s, for clients in Go as well', async () => {
    expect(await machine.kubectl('auth', 'whoami')).toContain('kubernetes-admin');
    const published = await machine.kubectl('get', 'configmap', 'kube-root-ca.crt', '-o', 'jsonpath={.data.ca\\.crt}');
    expect(published.trim()).toBe(readFileSync(place('x/pki/ca.crt'), 'utf8').trim());
  });

  test('an approved request becomes a certificate that lets its owner in', async () => {
    const library = await x509();
    const { keys, pem } = await newKeys();
    const request = await library.Pkcs10CertificateRequestGenerator.create({
      name: 'O=crew, CN=jane',
      keys,
      signingAlgorithm: rsa,
    });
    const spec = {
      request: Buffer.from(`for jane\n${request.toString('pem')}\n`).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: ['client auth'],
    };
    const kind = 'CertificateSigningRequest';
    await machine.apply({ apiVersion: 'certificates.k8s.io/v1', kind, metadata: { name: 'jane' }, spec });
    await machine.kubectl('certificate', 'approve', 'jane');
    const certificate = await eventually(async () => {
      const text = await machine.kubectl('get', 'csr', 'jane', '-o', 'jsonpath={.status.certificate}');
      expect(text).not.toBe('');
      return Buffer.from(text, 'base64').toString();
    });
    expect(await machine.kubectl('get', 'csr', 'jane')).toContain('Approved,Issued');
    writeFileSync(place('jane.crt'), certificate);
    writeFileSync(place('jane.key'), pem);
    const who = await machine.kubectl(
      'auth',
      'whoami',
      '--client-certificate',
      place('jane.crt'),
      '--client-key',
      place('jane.key'),
    );
    expect(who).toMatch(/Username +jane/);
    expect(who).toMatch(/Groups +\[crew system:authenticated\]/);
  });

  test('no user can escalate', async () => {
    const rbac = 'clusterroles.rbac.authorization.k8s.io,clusterrolebindings.rbac.authorization.k8s.io';
    await machine.kubectl('create', 'clusterrole', 'writer', '--verb=create,patch,get', `--resource=${rbac}`);
    await machine.kubectl('create', 'clusterrolebinding', 'writer', '--clusterrole=writer', '--user=eve');
    const as = (...args: string[]) => machine.tryKubectl([...args, '--as=eve']);
    await eventually(async () => expect((await as('auth', 'can-i', 'create', 'clusterroles')).code).toBe(0));
    const bound = await as('create', 'clusterrolebinding', 'root', '--clusterrole=cluster-admin', '--user=eve');
    expect(bound.stderr).toContain('is attempting to grant RBAC permissions not currently held');
    const made = await as('create', 'clusterrole', 'all', '--verb=*', '--resource=*.*');
    expect(made.stderr).toContain('{APIGroups:["*"], Resources:["*"], Verbs:["*"]}');
    expect((await as('auth', 'can-i', 'get', 'secrets', '-A')).stdout.trim()).toBe('no');
  });

  test('the certificate for kubelets has no other rights, for any server that a node names as its kubelet', async () => {
    await machine.kubectl('run', 'p', '--image=any', '--', 'sh', '-c', 'echo seen; sleep 600');
    await eventually(async () => expect(await machine.kubectl('logs', 'p')).toContain('seen'));
    const pair = ['crt', 'key'].map((ending) => place(`x/pki/apiserver-kubelet-client.${ending}`));
    const as = (...args: string[]) =>
      machine.tryKubectl(['--client-certificate', pair[0], '--client-key', pair[1], ...args]);
    expect((await as('auth', 'whoami')).stdout).not.toContain('system:masters');
    expect((await as('get', 'secrets', '-A')).stderr).toContain('forbidden');
    expect((await as('auth', 'can-i', 'get', 'nodes/proxy')).stdout.trim()).toBe('yes');
  });

  test('a group with a comma is one group', async () => {
    const who = await machine.kubectl('auth', 'whoami', '--as=jane', '--as-group=a,b', '--as-group=c');
    expect(who).toMatch(/Groups +\[a,b c system:authenticated\]/);
  });

  test('an unusable CA is reported and not overwritten', async () => {
    expect((await machine.coracle('down', '--data-dir', place('x'))).code).toBe(0);
    const key = readFileSync(place('x/pki/ca.key'), 'utf8');
    const { pem } = await newKeys();
    writeFileSync(place('x/pki/ca.key'), pem);
    const { code, stdout, stderr } = await up();
    expect(code).toBe(1);
    expect(`${stdout}${stderr}`).toMatch(/error: .*ca\.key is not the key of .*ca\.crt/);
    expect(readFileSync(place('x/pki/ca.key'), 'utf8')).toBe(pem);
    writeFileSync(place('x/pki/ca.key'), key);
    expect((await up()).code).toBe(0);
  });
});
