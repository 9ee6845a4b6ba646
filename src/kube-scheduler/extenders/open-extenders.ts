// Makes the extenders of the configuration: their certificates are read once.

import { readFile } from 'node:fs/promises';
import type { RemoteServer } from '../../client/client.ts';
import type { ExtenderConfig } from '../configuration/extenders.ts';
import { Extender } from './extender.ts';

/** Those that may fail come last, as in Kubernetes. Rejects when a file cannot be read. */
export async function openExtenders(configs: readonly ExtenderConfig[]): Promise<readonly Extender[]> {
  const opened = await Promise.all(configs.map(async (config) => new Extender(config, await serverOf(config))));
  return [...opened.filter(({ ignorable }) => !ignorable), ...opened.filter(({ ignorable }) => ignorable)];
}

async function serverOf({ urlPrefix, enableHTTPS, tls }: ExtenderConfig): Promise<Omit<RemoteServer, 'url'>> {
  const read = async (file: string | undefined, data: string | undefined): Promise<string | undefined> => {
    if (data) return Buffer.from(data, 'base64').toString();
    if (!file) return undefined;
    return readFile(file, 'utf8').catch((error: Error) => {
      throw new Error(`certificate of extender ${urlPrefix}: ${error.message}`);
    });
  };
  const [ca, cert, key] = await Promise.all([
    read(tls.caFile, tls.caData),
    read(tls.certFile, tls.certData),
    read(tls.keyFile, tls.keyData),
  ]);
  const insecure = tls.insecure === true || (enableHTTPS && !ca);
  return {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(tls.serverName && { serverName: tls.serverName }),
    ...(insecure && { insecure }),
  };
}
