// The certificates of a machine that has joined: its kubelet's client and serving certificate, and those of its service
// proxy and its enforcement of network policies. Each is requested from the cluster with a key that never leaves the machine.
// https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/

import { webcrypto, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { JsonName } from '@peculiar/x509';
import { type CertificateSigningRequest, conditionOf, isConditionTrue } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { type KeyPair, x509 } from '../certificates/certificate-authority.ts';
import { type Identity, identities } from '../identities.ts';
import { writeWhole } from '../write-whole.ts';
import { JoinError } from './join-error.ts';

interface Wanted {
  /** File name, without ending. */
  readonly name: string;
  readonly signerName: string;
  readonly usages: NonNullable<CertificateSigningRequest['spec']['usages']>;
  readonly subject: JsonName;
  readonly dnsName?: string;
}

export interface NodeCertificates {
  readonly kubelet: KeyPair;
  readonly serving: KeyPair;
  readonly proxy: KeyPair;
  readonly networkPolicy: KeyPair;
}

/** A certificate is renewed when less than this share of its life is left: the kubelet's custom is 10 to 30 %. */
const renewShare = 0.3;
const issuedWithinMs = 60_000;
const pollMs = 200;

const nodeSubject = (node: string): JsonName => [{ O: ['system:nodes'] }, { CN: [identities.kubelet(node).name] }];
const clientUsages: Wanted['usages'] = ['digital signature', 'client auth'];

const kubeletClient = (node: string): Wanted => ({
  name: 'kubelet-client',
  signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
  usages: clientUsages,
  subject: nodeSubject(node),
});
const kubeletServing = (node: string): Wanted => ({
  name: 'kubelet-serving',
  signerName: 'kubernetes.io/kubelet-serving',
  usages: ['digital signature', 'server auth'],
  subject: nodeSubject(node),
  dnsName: node,
});
const partClient = (name: string, identity: Identity): Wanted => ({
  name,
  signerName: 'kubernetes.io/kube-apiserver-client',
  usages: clientUsages,
  subject: [{ CN: [identity.name] }],
});

export interface CertificateTools {
  /** Of the machine's certificates. */
  readonly directory: string;
  readonly node: string;
  /** PEM of the cluster's CA. */
  readonly ca: string;
  readonly clock: Clock;
  /** A client with the kubelet's certificate. */
  readonly clientFor: (pair: KeyPair) => Client;
}

/** The kubelet's client certificate if the machine has one that counts for this cluster and node. */
export async function existingKubeletCertificate(
  tools: Omit<CertificateTools, 'clientFor'>,
): Promise<KeyPair | undefined> {
  const pair = await readPair(tools.directory, kubeletClient(tools.node).name);
  return pair && remainingShare(pair, tools) > 0 ? pair : undefined;
}

/** The first certificate, requested by a client with a bootstrap token. Rejects with JoinError. */
export async function bootstrapKubelet(client: Client, tools: CertificateTools): Promise<KeyPair> {
  const wanted = kubeletClient(tools.node);
  const pair = await request(client, wanted, tools.clock);
  await writePair(tools.directory, wanted.name, pair);
  return pair;
}

/**
 * All certificates: those that are missing or due are requested with the kubelet's. Rejects with JoinError. With `onLate`
 * a certificate that is due stays, while it is valid, when no server renews it.
 */
export async function ensureNodeCertificates(
  kubelet: KeyPair,
  tools: CertificateTools,
  onLate?: (error: Error) => void,
): Promise<NodeCertificates> {
  let client: Client | undefined;
  const ensure = async (wanted: Wanted): Promise<KeyPair> => {
    const existing = await readPair(tools.directory, wanted.name);
    if (existing && remainingShare(existing, tools) > renewShare) return existing;
    client ??= tools.clientFor(kubelet);
    try {
      const pair = await request(client, wanted, tools.clock);
      await writePair(tools.directory, wanted.name, pair);
      return pair;
    } catch (error) {
      if (!onLate || !existing || remainingShare(existing, tools) === 0) throw error;
      onLate(error as Error);
      return existing;
    }
  };
  // Each has ended when a failure is reported, so that no file comes after it.
  const [own, serving, proxy, networkPolicy] = (
    await Promise.allSettled([
      ensure(kubeletClient(tools.node)),
      ensure(kubeletServing(tools.node)),
      ensure(partClient('kube-proxy', identities.proxy)),
      ensure(partClient('network-policy', identities.networkPolicy)),
    ])
  ).map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
  return { kubelet: own, serving, proxy, networkPolicy };
}

/** From 0 to 1: how much of the certificate's life is left; 0 for one of another CA, and for one that is no use. */
function remainingShare({ cert, key }: KeyPair, { ca, clock }: Pick<CertificateTools, 'ca' | 'clock'>): number {
  try {
    const [certificate, authority] = [new X509Certificate(cert), new X509Certificate(ca)];
    if (!key || !certificate.verify(authority.publicKey)) return 0;
    const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
    return Math.max(0, (to - clock.now()) / (to - from));
  } catch {
    return 0;
  }
}

async function request(client: Client, wanted: Wanted, clock: Clock): Promise<KeyPair> {
  const { pem, key } = await certificateRequest(wanted);
  const { metadata } = await client.create('certificatesigningrequests', {
    metadata: { generateName: 'node-csr-' },
    spec: { request: btoa(pem), signerName: wanted.signerName, usages: [...wanted.usages] },
  });
  const untilMs = clock.monotonic() + issuedWithinMs;
  for (;;) {
    const csr = await client.get('certificatesigningrequests', { name: metadata.name });
    if (csr.status?.certificate) return { cert: atob(csr.status.certificate), key };
    for (const type of ['Denied', 'Failed'])
      if (isConditionTrue(csr, type))
        throw new JoinError(
          `the cluster refuses the machine: its certificate request ${metadata.name} was ${type.toLowerCase()}: ${conditionOf(csr, type)?.message ?? ''}`,
        );
    if (clock.monotonic() > untilMs)
      throw new JoinError(
        `the certificate request ${metadata.name} was not signed in ${issuedWithinMs / 1000} s: see "kubectl describe csr ${metadata.name}", and whether kube-controller-manager runs`,
      );
    await clock.sleep(pollMs);
  }
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

async function certificateRequest({ subject, dnsName }: Wanted): Promise<{ pem: string; key: string }> {
  const library = await x509();
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const made = await library.Pkcs10CertificateRequestGenerator.create({
    name: subject,
    keys,
    signingAlgorithm: algorithm,
    extensions: dnsName ? [new library.SubjectAlternativeNameExtension([{ type: 'dns', value: dnsName }])] : [],
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  const key = `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
  return { pem: `${made.toString('pem')}\n`, key };
}

/** One file for both, as the kubelet keeps them: a certificate never stands beside another one's key. */
async function readPair(directory: string, name: string): Promise<KeyPair | undefined> {
  const text = await readFile(path.join(directory, `${name}.pem`), 'utf8').catch(() => '');
  const at = text.indexOf('-----BEGIN PRIVATE KEY-----');
  return at > 0 ? { cert: text.slice(0, at), key: text.slice(at) } : undefined;
}

const writePair = (directory: string, name: string, { cert, key }: KeyPair): Promise<void> =>
  writeWhole(path.join(directory, `${name}.pem`), `${cert.trimEnd()}\n${key}`, 0o600);
