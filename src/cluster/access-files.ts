// Reads the configuration files of authentication and authorization.

import { readFile } from 'node:fs/promises';
import {
  AccessConfigurationError,
  type AuthenticationConfiguration,
  type AuthorizerEntry,
  parseAuthenticationConfiguration,
  parseAuthorizationConfiguration,
  type RemoteServer,
  staticTokens,
} from '../kube-apiserver/kube-apiserver.ts';
import type { Settings } from './config.ts';
import { readRemoteServer } from './remote-server.ts';

type AccessSettings = Pick<
  Settings,
  'authenticationConfig' | 'authorizationConfig' | 'authenticationTokenWebhook' | 'tokenAuthFile'
>;

export interface AccessFiles {
  readonly tokenFile?: string;
  readonly tokenWebhook?: { readonly server: RemoteServer };
  readonly authentication?: AuthenticationConfiguration;
  readonly authorization?: readonly AuthorizerEntry[];
  readonly authorizationServers?: ReadonlyMap<string, RemoteServer>;
}

/** `issuer` signs this cluster's tokens. Rejects with the file and its fault. */
export async function readAccessFiles(settings: AccessSettings, issuer: string): Promise<AccessFiles> {
  const { authenticationConfig, authorizationConfig, authenticationTokenWebhook, tokenAuthFile } = settings;
  const tokenFile = tokenAuthFile && (await readChecked(tokenAuthFile, 'token file', textOfTokens));
  const authentication =
    authenticationConfig &&
    (await readChecked(authenticationConfig, 'authentication configuration', (text) =>
      parseAuthenticationConfiguration(text, issuer),
    ));
  const authorization =
    authorizationConfig &&
    (await readChecked(authorizationConfig, 'authorization configuration', parseAuthorizationConfiguration));
  return {
    ...(tokenFile !== undefined && tokenFile !== '' && { tokenFile }),
    ...(authenticationTokenWebhook && {
      tokenWebhook: { server: await readRemoteServer(authenticationTokenWebhook, 'a token webhook') },
    }),
    ...(authentication && { authentication }),
    ...(authorization && { authorization, authorizationServers: await serversOf(authorization) }),
  };
}

function textOfTokens(text: string): string {
  staticTokens(text);
  return text;
}

async function serversOf(authorizers: readonly AuthorizerEntry[]): Promise<ReadonlyMap<string, RemoteServer>> {
  const servers = new Map<string, RemoteServer>();
  for (const entry of authorizers)
    if (entry.type === 'Webhook')
      servers.set(
        entry.name,
        await readRemoteServer(entry.webhook.connectionInfo.kubeConfigFile ?? '', `the authorizer ${entry.name}`),
      );
  return servers;
}

async function readChecked<T>(file: string, description: string, read: (text: string) => T): Promise<T> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new Error(`the ${description} ${file} cannot be read: ${error.message}`);
  });
  try {
    return read(text);
  } catch (error) {
    if (!(error instanceof AccessConfigurationError)) throw error;
    throw new Error(`the ${description} ${file} cannot be used: ${error.message}`);
  }
}
