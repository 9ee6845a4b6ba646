// The files that flags name: certificates, keys and lists of tokens.

import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { issue, type KeyPair, makeAuthority } from '../certificates/certificates.ts';
import type { LiveFile, LiveFiles } from '../configuration/live-files.ts';
import { writeWhole } from '../write-whole.ts';

/** The text of the file that a flag names; undefined when it names none. Rejects with flag, file and cause. */
export async function readNamed(flag: string, file: string): Promise<string | undefined> {
  if (!file) return undefined;
  return readFile(file, 'utf8').catch((error: Error) => {
    throw new Error(`--${flag} ${file} cannot be read: ${error.message}`);
  });
}

/** A bundle of CAs, in PEM. */
export async function readAuthorities(flag: string, file: string): Promise<string | undefined> {
  const bundle = await readNamed(flag, file);
  return bundle === undefined ? undefined : checkedAuthorities(flag, file, bundle);
}

/** The same, and read again when the file changes. */
export async function openAuthorities(
  files: LiveFiles,
  flag: string,
  file: string,
): Promise<LiveFile<string> | undefined> {
  await readAuthorities(flag, file);
  if (!file) return undefined;
  return files.open({ name: `--${flag}`, files: [file], read: ([bundle]) => checkedAuthorities(flag, file, bundle) });
}

function checkedAuthorities(flag: string, file: string, bundle: string): string {
  const blocks = blocksOf(bundle).filter((block) => block.includes('CERTIFICATE'));
  if (blocks.length === 0) throw new Error(`--${flag} ${file} holds no certificate in PEM form`);
  for (const block of blocks) parsed(flag, file, () => new X509Certificate(block));
  return bundle;
}

/** A certificate and its key; undefined when neither is named. */
export async function readKeyPair(
  [certFlag, keyFlag]: readonly [string, string],
  values: Readonly<Record<string, unknown>>,
): Promise<KeyPair | undefined> {
  return readPair([certFlag, keyFlag], [String(values[certFlag]), String(values[keyFlag])]);
}

async function readPair(
  [certFlag, keyFlag]: readonly [string, string],
  [certFile, keyFile]: readonly [string, string],
): Promise<KeyPair | undefined> {
  const [cert, key] = [await readNamed(certFlag, certFile), await readNamed(keyFlag, keyFile)];
  if (cert === undefined || key === undefined) return undefined;
  return checkedPair([certFlag, keyFlag], [certFile, keyFile], [cert, key]);
}

/** The same, and read again when a file changes. */
export async function openKeyPair(
  files: LiveFiles,
  flags: readonly [string, string],
  [certFile, keyFile]: readonly [string, string],
): Promise<LiveFile<KeyPair> | undefined> {
  if (!(await readPair(flags, [certFile, keyFile]))) return undefined;
  return files.open({
    name: `--${flags[0]}`,
    files: [certFile, keyFile],
    read: ([cert, key]) => checkedPair(flags, [certFile, keyFile], [cert, key]),
  });
}

function checkedPair(
  [certFlag, keyFlag]: readonly [string, string],
  [certFile, keyFile]: readonly [string, string],
  [cert, key]: readonly [string, string],
): KeyPair {
  const certificate = parsed(certFlag, certFile, () => new X509Certificate(cert));
  const privateKey = parsed(keyFlag, keyFile, () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey))
    throw new Error(`--${keyFlag} ${keyFile} is not the key of --${certFlag} ${certFile}`);
  return { cert, key };
}

/** The key that signs tokens, and those that verify them: public keys, private keys or certificates. */
export async function readTokenKeys(
  signingFile: string,
  files: readonly string[],
): Promise<{ signingKey: string; verificationKeys: readonly string[] }> {
  const signingFlag = 'service-account-signing-key-file';
  const signingKey = (await readNamed(signingFlag, signingFile)) ?? '';
  parsed(signingFlag, signingFile, () => createPrivateKey(signingKey));
  const flag = 'service-account-key-file';
  const verificationKeys: string[] = [];
  for (const file of files) {
    const blocks = blocksOf((await readNamed(flag, file)) ?? '').filter((block) => /CERTIFICATE|KEY-/.test(block));
    if (blocks.length === 0) throw new Error(`--${flag} ${file} holds no key in PEM form`);
    for (const block of blocks) parsed(flag, file, () => createPublicKey(block));
    verificationKeys.push(...blocks);
  }
  return { signingKey, verificationKeys: files.length > 0 ? verificationKeys : [signingKey] };
}

/** apiserver.crt and apiserver.key of a directory, made there when they are missing. */
export async function ensureServingPair(
  directory: string,
  addresses: readonly string[],
  nowMs: number,
): Promise<KeyPair> {
  const files = ['apiserver.crt', 'apiserver.key'].map((name) => path.join(directory, name));
  const [cert, key] = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => undefined)));
  if (cert !== undefined && key !== undefined) {
    const privateKey = parsed('cert-dir', files[1], () => createPrivateKey(key));
    if (!parsed('cert-dir', files[0], () => new X509Certificate(cert)).checkPrivateKey(privateKey))
      throw new Error(`${files[1]} is not the key of ${files[0]}: remove both, and they are made anew`);
    return { cert, key };
  }
  const names = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'localhost', os.hostname()];
  const ca = await makeAuthority(nowMs, `${os.hostname()}-ca`);
  const made = await issue(
    ca,
    { name: 'apiserver', commonName: os.hostname(), usage: 'server', hosts: [...new Set([...names, ...addresses])] },
    nowMs,
  );
  const pair = { cert: made.cert + ca.cert, key: made.key };
  try {
    await mkdir(directory, { recursive: true, mode: 0o755 });
    await writeWhole(files[0], pair.cert, 0o644);
    await writeWhole(files[1], pair.key, 0o600);
  } catch (error) {
    throw new Error(`--cert-dir ${directory} cannot be written to: ${(error as Error).message}`);
  }
  return pair;
}

const blocksOf = (text: string): readonly string[] =>
  text.match(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g) ?? [];

function parsed<T>(flag: string, file: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new Error(`--${flag} ${file} cannot be used: ${(error as Error).message}`);
  }
}

/** Undefined when no file is given. */
export const absolute = (file: string): string | undefined => (file ? path.resolve(file) : undefined);
