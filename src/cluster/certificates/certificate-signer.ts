// The cluster's CA as the signing controllers use it: a certificate for a request, with the request's names and key.

import type { JsonName } from '@peculiar/x509';
import type { CertificateSigner, SigningOrder } from '../../kube-controller-manager/kube-controller-manager.ts';
import { once } from '../../machinery/time/once.ts';
import { type AlternativeName, type KeyPair, type KeyUsage, openAuthority } from './certificate-authority.ts';

/** The CA is opened, or made, when the first request is signed. */
export function certificateSigner(ca: () => KeyPair | Promise<KeyPair>): CertificateSigner {
  const authority = once(async () => openAuthority(await ca()));
  return {
    async sign(order) {
      const { issue, notAfterMs } = await authority();
      if (order.notBeforeMs >= notAfterMs)
        throw new Error(`the signer has expired: NotAfter=${new Date(notAfterMs).toISOString()}`);
      if (order.nowMs >= notAfterMs)
        throw new Error(
          `refusing to sign a certificate that expired in the past: NotAfter=${new Date(notAfterMs).toISOString()}`,
        );
      return issue({
        subject: subjectOf(order),
        publicKey: order.request.publicKey,
        notBeforeMs: order.notBeforeMs,
        notAfterMs: order.notAfterMs,
        keyUsages: [...new Set(order.usages.flatMap((usage) => keyUsages[usage] ?? []))],
        extendedKeyUsages: extendedUsagesOf(order.usages),
        names: namesOf(order),
      });
    },
  };
}

/** Attributes that Go keeps, in the order in which it writes them; one set per attribute. */
const attributes: readonly (readonly [oid: string, name: string])[] = [
  ['2.5.4.6', 'C'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.9', '2.5.4.9'],
  ['2.5.4.17', '2.5.4.17'],
  ['2.5.4.3', 'CN'],
  ['2.5.4.5', '2.5.4.5'],
];
/** Of these the last one counts. */
const single = new Set(['2.5.4.3', '2.5.4.5']);

function subjectOf({ request }: SigningOrder): JsonName {
  return attributes.flatMap(([oid, name]) => {
    const values = request.subject.filter(({ type }) => type === oid).map(({ value }) => value);
    return values.length ? [{ [name]: single.has(oid) ? values.slice(-1) : values }] : [];
  });
}

const namesOf = ({ request }: SigningOrder): AlternativeName[] => [
  ...request.dnsNames.map((value) => ({ type: 'dns', value }) as const),
  ...request.emailAddresses.map((value) => ({ type: 'email', value }) as const),
  ...request.ipAddresses.map((value) => ({ type: 'ip', value }) as const),
  ...request.uris.map((value) => ({ type: 'url', value }) as const),
];

const keyUsages: Readonly<Record<string, KeyUsage>> = {
  signing: 'digitalSignature',
  'digital signature': 'digitalSignature',
  'content commitment': 'contentCommitment',
  'key encipherment': 'keyEncipherment',
  'key agreement': 'keyAgreement',
  'data encipherment': 'dataEncipherment',
  'cert sign': 'certSign',
  'crl sign': 'crlSign',
  'encipher only': 'encipherOnly',
  'decipher only': 'decipherOnly',
};

const purpose = '1.3.6.1.5.5.7.3';
/** In the order in which Go writes them. */
const extendedUsages: readonly (readonly [usage: string, oid: string])[] = [
  ['any', '2.5.29.37.0'],
  ['server auth', `${purpose}.1`],
  ['client auth', `${purpose}.2`],
  ['code signing', `${purpose}.3`],
  ['email protection', `${purpose}.4`],
  ['s/mime', `${purpose}.4`],
  ['ipsec end system', `${purpose}.5`],
  ['ipsec tunnel', `${purpose}.6`],
  ['ipsec user', `${purpose}.7`],
  ['timestamping', `${purpose}.8`],
  ['ocsp signing', `${purpose}.9`],
  ['microsoft sgc', '1.3.6.1.4.1.311.10.3.3'],
  ['netscape sgc', '2.16.840.1.113730.4.1'],
];

const extendedUsagesOf = (usages: readonly string[]): string[] => [
  ...new Set(extendedUsages.filter(([usage]) => usages.includes(usage)).map(([, oid]) => oid)),
];
