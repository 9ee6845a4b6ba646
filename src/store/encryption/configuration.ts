// Which resources are encrypted, and how: Kubernetes' EncryptionConfiguration.
// https://kubernetes.io/docs/reference/config-api/apiserver-config.v1/#apiserver-config-k8s-io-v1-EncryptionConfiguration

import { parse } from 'yaml';
import { fieldsIn, textIn } from '../../machinery/parsed.ts';
import { parseGoDuration } from '../../machinery/time/duration.ts';
import type { NamedKey } from './providers.ts';

type ProviderKind = 'aescbc' | 'aesgcm' | 'secretbox';

export interface KmsConfiguration {
  readonly name: string;
  /** unix:///... */
  readonly endpoint: string;
  readonly timeoutMs: number;
}

export type Provider =
  | { readonly kind: ProviderKind; readonly keys: readonly NamedKey[] }
  | { readonly kind: 'identity' }
  | { readonly kind: 'kms'; readonly kms: KmsConfiguration };

export interface ResourceConfiguration {
  /** "secrets", "deployments.apps", "*.apps", "*." (the core group) or "*.*". */
  readonly resources: readonly string[];
  readonly providers: readonly Provider[];
}

export class EncryptionConfigurationError extends Error {
  override readonly name = 'EncryptionConfigurationError';
}

const keySizes: Readonly<Record<ProviderKind, readonly number[]>> = {
  aescbc: [16, 24, 32],
  aesgcm: [16, 24, 32],
  secretbox: [32],
};
const providerKinds = ['aescbc', 'aesgcm', 'secretbox', 'identity', 'kms'];
const defaultTimeoutMs = 3000;
const unencryptable = ['apiserveripinfo', 'serviceipallocations', 'servicenodeportallocations'];

/**
 * Reads the file, YAML or JSON. Throws EncryptionConfigurationError with all faults; messages never contain secrets.
 */
export function parseEncryptionConfiguration(text: string): ResourceConfiguration[] {
  const { resources: lists } = parsed(text);
  const faults: string[] = [];
  const kmsNames = new Set<string>();
  if (!Array.isArray(lists) || lists.length === 0)
    throw new EncryptionConfigurationError('resources: at least one resource is required');
  const result = lists.map((item: unknown, i) => {
    const entry = fieldsIn(item);
    const path = `resources[${i}]`;
    const resources = list(entry['resources']);
    if (resources.length === 0) faults.push(`${path}.resources: at least one is required`);
    faults.push(...resourceFaults(`${path}.resources`, resources));
    const providers = list(entry['providers']);
    if (providers.length === 0) faults.push(`${path}.providers: at least one is required`);
    return {
      resources: resources as string[],
      providers: providers.map((provider, j) => providerOf(`${path}.providers[${j}]`, provider, kmsNames, faults)),
    };
  });
  if (faults.length > 0) throw new EncryptionConfigurationError(faults.join('; '));
  return result;
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 100, logLevel: 'error' });
  } catch {
    // The parser's message quotes the text, which contains secrets.
    throw new EncryptionConfigurationError('it is no YAML');
  }
  if (typeof value !== 'object' || value === null) throw new EncryptionConfigurationError('it is empty, or no object');
  const config = fieldsIn(value);
  if (config['apiVersion'] !== 'apiserver.config.k8s.io/v1' || config['kind'] !== 'EncryptionConfiguration')
    throw new EncryptionConfigurationError(
      'apiVersion must be apiserver.config.k8s.io/v1, kind EncryptionConfiguration',
    );
  return config;
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

function* resourceFaults(path: string, resources: readonly unknown[]): Generator<string> {
  for (const [i, name] of resources.entries()) {
    const at = `${path}[${i}]`;
    if (typeof name !== 'string') yield `${at}: must be a string`;
    else if (/[A-Z]/.test(name)) yield `${at}: resource name should not contain capital letters`;
    else if (name === '*')
      yield `${at}: use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources`;
    else if (unencryptable.includes(name)) yield `${at}: resources which do not have REST API/s cannot be encrypted`;
    else if (name.endsWith('.events.k8s.io'))
      yield `${at}: '*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file`;
    else if (name.endsWith('.extensions'))
      yield `${at}: 'extensions' group has been removed and cannot be used for encryption`;
    else if (name.endsWith('.*') && name !== '*.*')
      yield `${at}: encrypting the same resource across groups is not supported`;
  }
  if (new Set(resources).size < resources.length) yield `${path}: the same resource cannot be specified multiple times`;
  const names = resources.filter((name): name is string => typeof name === 'string');
  const groupOf = (name: string) => (name.includes('.') ? name.slice(name.indexOf('.') + 1) : '');
  const masks = (wide: string, name: string) =>
    wide !== name && (wide === '*.*' || (wide.startsWith('*.') && groupOf(wide) === groupOf(name)));
  if (names.some((wide) => names.some((name) => masks(wide, name))))
    yield `${path}: using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked`;
}

function providerOf(path: string, value: unknown, kmsNames: Set<string>, faults: string[]): Provider {
  const provider = fieldsIn(value);
  const kinds = Object.keys(provider);
  const unknown = kinds.filter((kind) => !providerKinds.includes(kind));
  if (unknown.length > 0) faults.push(`${path}: unknown provider ${unknown.join(', ')}`);
  else if (kinds.length === 0)
    faults.push(
      `${path}: provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity`,
    );
  else if (kinds.length > 1)
    faults.push(
      `${path}: more than one provider specified in a single element, should split into different list elements`,
    );
  const [kind] = kinds;
  if (kind === 'kms') return { kind, kms: kmsOf(`${path}.kms`, provider['kms'], kmsNames, faults) };
  if (kind !== 'aescbc' && kind !== 'aesgcm' && kind !== 'secretbox') return { kind: 'identity' };
  const keys = list(fieldsIn(provider[kind])['keys']);
  if (keys.length === 0) faults.push(`${path}.${kind}.keys: at least one key is required`);
  return { kind, keys: keys.map((key, i) => keyOf(`${path}.${kind}.keys[${i}]`, key, keySizes[kind], faults)) };
}

function keyOf(path: string, key: unknown, sizes: readonly number[], faults: string[]): NamedKey {
  const fields = fieldsIn(key);
  const [name, secret] = [textIn(fields['name']), textIn(fields['secret'])];
  if (name === '') faults.push(`${path}.name: a name is required`);
  if (secret === '') {
    faults.push(`${path}.secret: a secret is required`);
    return { name, secret: new Uint8Array() };
  }
  const bytes = Buffer.from(secret, 'base64');
  if (bytes.toString('base64').replace(/=+$/, '') !== secret.trim().replace(/=+$/, ''))
    faults.push(`${path}.secret: secrets must be base64 encoded`);
  else if (!sizes.includes(bytes.length))
    faults.push(
      `${path}.secret: secret is not of the expected length, got ${bytes.length}, expected one of [${sizes.join(' ')}]`,
    );
  return { name, secret: new Uint8Array(bytes) };
}

function kmsOf(path: string, kms: unknown, names: Set<string>, faults: string[]): KmsConfiguration {
  const { apiVersion, timeout, ...fields } = fieldsIn(kms);
  const [name, endpoint] = [textIn(fields['name']), textIn(fields['endpoint'])];
  if (apiVersion !== 'v2')
    faults.push(
      `${path}.apiVersion: unsupported apiVersion ${JSON.stringify(apiVersion ?? 'v1')} for KMS provider, only v2 is supported`,
    );
  if (name === '') faults.push(`${path}.name: a name is required`);
  else if (name.includes(':')) faults.push(`${path}.name: invalid KMS provider name ${name}, must not contain ':'`);
  else if (names.has(name)) faults.push(`${path}.name: duplicate KMS provider name ${name}, names must be unique`);
  names.add(name);
  if (!endpoint.startsWith('unix://')) faults.push(`${path}.endpoint: must be a unix:// socket`);
  const { ms, fault } = timeout === undefined ? { ms: defaultTimeoutMs } : parseGoDuration(String(timeout));
  if (fault !== undefined || ms <= 0) faults.push(`${path}.timeout: should be a positive value`);
  return { name, endpoint, timeoutMs: ms };
}

/** The configuration of a resource: the first list that names it. Undefined: its values are not encrypted. */
export function configurationFor(
  configurations: readonly ResourceConfiguration[],
  group: string,
  resource: string,
): ResourceConfiguration | undefined {
  const names = [group ? `${resource}.${group}` : resource, `*.${group}`, '*.*'];
  return configurations.find(({ resources }) => names.some((name) => resources.includes(name)));
}
