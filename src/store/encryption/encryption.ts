// Encryption at rest: from a configuration to the transformers of each key.

import { Metrics } from '../../machinery/metrics.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { KeyService } from '../interface.ts';
import { configurationFor, type Provider, type ResourceConfiguration } from './configuration.ts';
import type { TransformersFor } from './encrypted-store.ts';
import { openKms } from './kms.ts';
import { type Measuring, measured } from './measured.ts';
import { aescbc, aesgcm, identity, secretbox, type Transformer } from './providers.ts';

export { EncryptionConfigurationError, parseEncryptionConfiguration } from './configuration.ts';
export { encryptedStore } from './encrypted-store.ts';

/** The resource of a key in the store; undefined for other keys. */
type ResourceOf = (key: string) => { readonly group: string; readonly resource: string } | undefined;

interface OpenedTransformers {
  readonly transformersFor: TransformersFor;
  readonly keyServices: readonly KeyService[];
  /** Ends the connections to key management services. */
  close(): void;
}

type Services = Map<string, Awaited<ReturnType<typeof openKms>>>;

/** Rejects when a key management service cannot be used. */
export async function openTransformers(
  configurations: readonly ResourceConfiguration[],
  resourceOf: ResourceOf,
  clock: Clock,
  metrics = new Metrics(),
): Promise<OpenedTransformers> {
  const nameOf = (key: string) => {
    const { resource = '', group = '' } = resourceOf(key) ?? {};
    return group ? `${resource}.${group}` : resource;
  };
  const measuring = { clock, metrics, resourceOf: nameOf };
  const services: Services = new Map();
  const close = () => {
    for (const service of services.values()) service.close();
  };
  const opened = new Map<ResourceConfiguration, readonly Transformer[]>();
  try {
    for (const configuration of configurations) {
      const transformers: Transformer[] = [];
      for (const provider of configuration.providers) transformers.push(...(await open(provider, services, measuring)));
      opened.set(configuration, transformers);
    }
  } catch (error) {
    close();
    throw error;
  }
  const transformersFor = transformersByKey(configurations, opened, resourceOf);
  return { transformersFor, keyServices: [...services.values()], close };
}

function transformersByKey(
  configurations: readonly ResourceConfiguration[],
  opened: ReadonlyMap<ResourceConfiguration, readonly Transformer[]>,
  resourceOf: ResourceOf,
): TransformersFor {
  const cached = new Map<string, readonly Transformer[] | undefined>();
  return (key) => {
    const found = resourceOf(key);
    if (!found) return undefined;
    const name = `${found.resource}.${found.group}`;
    if (!cached.has(name)) {
      const configuration = configurationFor(configurations, found.group, found.resource);
      cached.set(name, configuration && opened.get(configuration));
    }
    return cached.get(name);
  };
}

async function open(provider: Provider, services: Services, measuring: Measuring): Promise<Transformer[]> {
  const each = (transformers: readonly Transformer[]) => transformers.map((one) => measured(one, measuring));
  switch (provider.kind) {
    case 'identity':
      return [identity];
    case 'aescbc':
      return each(provider.keys.map(aescbc));
    case 'aesgcm':
      return each(provider.keys.map(aesgcm));
    case 'secretbox':
      return each(provider.keys.map(secretbox));
    case 'kms': {
      const { name } = provider.kms;
      const service = services.get(name) ?? (await openKms(provider.kms, measuring));
      services.set(name, service);
      return each([service]);
    }
  }
}
