// Identifies a CA by its public key, as kubeadm's --discovery-token-ca-cert-hash does: sha256 over the
// SubjectPublicKeyInfo. https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-join/

import { createHash, X509Certificate } from 'node:crypto';

/** `pem` may have several certificates: the hash of each. */
export function caHashes(pem: string): string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => {
    const key = new X509Certificate(block).publicKey.export({ type: 'spki', format: 'der' });
    return `sha256:${createHash('sha256').update(key).digest('hex')}`;
  });
}
