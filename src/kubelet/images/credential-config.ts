// Reads a file of CredentialProviderConfig. Fields without an effect here are refused by name.
// https://kubernetes.io/docs/reference/config-api/kubelet-config.v1/

import { parse } from 'yaml';
import { type Shape, shapeFaults, withoutNulls } from '../../machinery/fields/configuration-shape.ts';
import { isFields } from '../../machinery/parsed.ts';
import { parseDuration } from '../../machinery/time/duration.ts';

export interface CredentialProvider {
  /** Of its program. */
  readonly name: string;
  readonly matchImages: readonly string[];
  readonly defaultCacheMs: number;
  /** Of its requests and answers. */
  readonly apiVersion: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
}

const apiVersions = ['v1', 'v1beta1', 'v1alpha1'].map((version) => `credentialprovider.kubelet.k8s.io/${version}`);
const configVersions = ['v1', 'v1beta1', 'v1alpha1'].map((version) => `kubelet.config.k8s.io/${version}`);

const shape = {
  ...{ apiVersion: 'string', kind: 'string' },
  providers: [
    {
      ...{ name: 'string', matchImages: 'list of strings', defaultCacheDuration: 'string', apiVersion: 'string' },
      args: 'list of strings',
      env: [{ name: 'string', value: 'string' }],
    },
  ],
} as const satisfies Shape;

interface Given {
  readonly name?: string;
  readonly matchImages?: readonly string[];
  readonly defaultCacheDuration?: string;
  readonly apiVersion?: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name?: string; readonly value?: string }[];
}

/** Throws an Error with the first fault. */
export function parseCredentialProviders(text: string): CredentialProvider[] {
  const content = withoutNulls(parse(text, { maxAliasCount: 100 }));
  if (!isFields(content)) throw new Error('the content is not an object');
  const { apiVersion, kind, providers } = content;
  if (kind !== 'CredentialProviderConfig' || !configVersions.includes(String(apiVersion)))
    throw new Error('apiVersion and kind must be kubelet.config.k8s.io/v1 and CredentialProviderConfig');
  for (const provider of Array.isArray(providers) ? providers : [])
    if (isFields(provider) && provider['tokenAttributes'] !== undefined)
      throw new Error('field "providers.tokenAttributes" is not supported: providers get no service account tokens');
  for (const fault of shapeFaults(content, shape)) throw new Error(fault);
  const given = (providers ?? []) as readonly Given[];
  if (given.length === 0) throw new Error('providers: Required value: at least 1 item in plugins is required');
  return given.map(providerOf);
}

function providerOf({ name = '', matchImages = [], defaultCacheDuration, apiVersion = '', args, env }: Given) {
  const invalid = (field: string, text: string) => new Error(`providers.${field}: ${text}`);
  if (name === '' || name === '.' || name === '..' || /[/ ]/.test(name))
    throw invalid('name', `Invalid value: ${JSON.stringify(name)}: the name of a program, without '/' and spaces`);
  if (!apiVersions.includes(apiVersion))
    throw invalid(
      'apiVersion',
      `Unsupported value: ${JSON.stringify(apiVersion)}: supported values: ${apiVersions.join(', ')}`,
    );
  if (matchImages.length === 0)
    throw invalid('matchImages', 'Required value: at least 1 item in matchImages is required');
  if (defaultCacheDuration === undefined) throw invalid('defaultCacheDuration', 'Required value');
  const defaultCacheMs = parseDuration(defaultCacheDuration);
  if (defaultCacheMs === undefined || defaultCacheMs < 0)
    throw invalid(
      'defaultCacheDuration',
      `Invalid value: ${JSON.stringify(defaultCacheDuration)}: must be greater than or equal to 0`,
    );
  const variables = (env ?? []).map(({ name = '', value = '' }) => ({ name, value }));
  return { name, matchImages, defaultCacheMs, apiVersion, args: args ?? [], env: variables };
}
