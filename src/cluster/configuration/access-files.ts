// Reads the configuration files of authentication and authorization, at the start and when they change.

import { readFile } from 'node:fs/promises';
import type { RemoteServer } from '../../client/client.ts';
import {
  type AccessChange,
  AccessConfigurationError,
  type AuthenticationConfiguration,
  type AuthorizerEntry,
  parseAuthenticationConfiguration,
  parseAuthorizationConfiguration,
  staticTokens,
} from '../../kube-apiserver/kube-apiserver.ts';
import type { Metrics } from '../../machinery/metrics.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { Settings } from '../config.ts';
import { readRemoteServer } from '../remote-server.ts';
import type { LiveFile, LiveFiles } from './live-files.ts';
import { reloadMetrics } from './reload-metrics.ts';

type AccessSettings = Pick<
  Settings,
  'authenticationConfig' | 'authorizationConfig' | 'authenticationTokenWebhook' | 'tokenAuthFile'
>;

export interface AccessFiles {
  readonly options: {
    readonly tokenFile?: string;
    readonly tokenWebhook?: { readonly server: RemoteServer };
    readonly authentication?: AuthenticationConfiguration;
    readonly authorization?: readonly AuthorizerEntry[];
    readonly authorizationServers?: ReadonlyMap<string, RemoteServer>;
  };
  /** `update` brings later configurations into use. */
  onChange(update: (change: AccessChange) => Promise<void>): void;
}

export interface AccessFilesContext {
  /** Signs this cluster's tokens. */
  readonly issuer: string;
  readonly files: LiveFiles;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** Rejects with the file and its fault. */
export async function readAccessFiles(settings: AccessSettings, context: AccessFilesContext): Promise<AccessFiles> {
  const { authenticationConfig, authorizationConfig, authenticationTokenWebhook, tokenAuthFile } = settings;
  const tokenFile = tokenAuthFile && (await readChecked(tokenAuthFile, 'token file', textOfTokens));
  const authentication = authenticationConfig ? await openAuthentication(authenticationConfig, context) : undefined;
  const authorization = authorizationConfig ? await openAuthorization(authorizationConfig, context) : undefined;
  return {
    options: {
      ...(tokenFile !== undefined && tokenFile !== '' && { tokenFile }),
      ...(authenticationTokenWebhook && {
        tokenWebhook: { server: await readRemoteServer(authenticationTokenWebhook, 'a token webhook') },
      }),
      ...(authentication && { authentication: authentication.value }),
      ...authorization?.value,
    },
    onChange(update) {
      authentication?.onChange((value) => update({ authentication: value }));
      authorization?.onChange(update);
    },
  };
}

function openAuthentication(
  file: string,
  { issuer, files, metrics, clock }: AccessFilesContext,
): Promise<LiveFile<AuthenticationConfiguration>> {
  const description = 'authentication configuration';
  return opened(file, description, () =>
    files.open({
      name: description,
      files: [file],
      read: ([text], initial: AuthenticationConfiguration | undefined) =>
        parseAuthenticationConfiguration(text, issuer, initial),
      ...reloadMetrics('authentication', metrics, clock),
    }),
  );
}

type Authorization = Required<Pick<AccessChange, 'authorization' | 'authorizationServers'>>;

function openAuthorization(
  file: string,
  { files, metrics, clock }: AccessFilesContext,
): Promise<LiveFile<Authorization>> {
  const description = 'authorization configuration';
  return opened(file, description, () =>
    files.open({
      name: description,
      files: [file],
      async read([text], initial: Authorization | undefined) {
        const authorization = parseAuthorizationConfiguration(text, initial?.authorization);
        return { authorization, authorizationServers: await serversOf(authorization) };
      },
      ...reloadMetrics('authorization', metrics, clock),
    }),
  );
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

function readChecked<T>(file: string, description: string, read: (text: string) => T): Promise<T> {
  return opened(file, description, async () => read(await readFile(file, 'utf8')));
}

async function opened<T>(file: string, description: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof AccessConfigurationError)
      throw new Error(`the ${description} ${file} cannot be used: ${error.message}`);
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new Error(`the ${description} ${file} cannot be read: ${(error as Error).message}`);
  }
}
