// Encryption of values at rest: the same bytes as Kubernetes, so that each reads the other's values.
// https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/#providers

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js';

/** One key of one provider. */
export interface Transformer {
  /** Prefix of its values; empty for plain values. */
  readonly prefix: string;
  /** `key` is the entry's key in the store: some providers refuse a value that was moved to another. */
  encrypt(value: Uint8Array, key: string): Uint8Array | Promise<Uint8Array>;
  /** Throws for another key or damaged bytes. `isStale`: this provider would now encrypt the value differently. */
  decrypt(value: Uint8Array, key: string): Decrypted | Promise<Decrypted>;
}

export interface Decrypted {
  readonly value: Uint8Array;
  readonly isStale: boolean;
}

export interface NamedKey {
  readonly name: string;
  readonly secret: Uint8Array;
}

const fresh = (value: Uint8Array): Decrypted => ({ value, isStale: false });
const encodings = 'k8s:enc:';

export const identity: Transformer = {
  prefix: '',
  encrypt: (value) => value,
  decrypt(value) {
    if (startsWith(value, encodings)) throw new Error('identity transformer tried to read encrypted data');
    return fresh(value);
  },
};

const blockSize = 16;
const nonceSize = 12;
const tagSize = 16;
const secretboxNonceSize = 24;

export const aescbc = ({ name, secret }: NamedKey): Transformer => ({
  prefix: `${encodings}aescbc:v1:${name}:`,
  encrypt(value) {
    const iv = randomBytes(blockSize);
    const cipher = createCipheriv(`aes-${secret.length * 8}-cbc` as 'aes-256-cbc', secret, iv);
    return Buffer.concat([iv, cipher.update(value), cipher.final()]);
  },
  decrypt(value) {
    need(value, 2 * blockSize);
    const iv = value.subarray(0, blockSize);
    const decipher = createDecipheriv(`aes-${secret.length * 8}-cbc` as 'aes-256-cbc', secret, iv);
    return fresh(Buffer.concat([decipher.update(value.subarray(blockSize)), decipher.final()]));
  },
});

export const aesgcm = ({ name, secret }: NamedKey): Transformer => ({
  prefix: `${encodings}aesgcm:v1:${name}:`,
  encrypt: (value, key) => sealGcm(secret, value, key),
  decrypt: (value, key) => fresh(openGcm(secret, value, key)),
});

/** Nonce, ciphertext and tag; the store's key is authenticated with them. */
export function sealGcm(secret: Uint8Array, value: Uint8Array, key: string): Buffer {
  const nonce = randomBytes(nonceSize);
  const cipher = createCipheriv(`aes-${secret.length * 8}-gcm` as 'aes-256-gcm', secret, nonce);
  cipher.setAAD(Buffer.from(key));
  return Buffer.concat([nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]);
}

export function openGcm(secret: Uint8Array, value: Uint8Array, key: string): Buffer {
  need(value, nonceSize + tagSize);
  const decipher = createDecipheriv(
    `aes-${secret.length * 8}-gcm` as 'aes-256-gcm',
    secret,
    value.subarray(0, nonceSize),
    {
      authTagLength: tagSize,
    },
  );
  decipher.setAAD(Buffer.from(key));
  decipher.setAuthTag(value.subarray(value.length - tagSize));
  return Buffer.concat([decipher.update(value.subarray(nonceSize, value.length - tagSize)), decipher.final()]);
}

export const secretbox = ({ name, secret }: NamedKey): Transformer => ({
  prefix: `${encodings}secretbox:v1:${name}:`,
  encrypt(value) {
    const nonce = randomBytes(secretboxNonceSize);
    return Buffer.concat([nonce, xsalsa20poly1305(secret, nonce).encrypt(value)]);
  },
  decrypt(value) {
    need(value, secretboxNonceSize + tagSize);
    const nonce = value.subarray(0, secretboxNonceSize);
    return fresh(xsalsa20poly1305(secret, nonce).decrypt(value.subarray(secretboxNonceSize)));
  },
});

export function need(value: Uint8Array, bytes: number): void {
  if (value.length < bytes) throw new Error('the stored data was shorter than the required size');
}

export function startsWith(value: Uint8Array, prefix: string): boolean {
  if (value.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (value[i] !== prefix.charCodeAt(i)) return false;
  return true;
}
