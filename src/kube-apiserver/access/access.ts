// Authenticators and authorizers of a cluster, over the server's own caches.

import { type Client, type ComponentContext, createInformer, type RemoteServer } from '../../client/client.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { AdmissionPlugin } from '../admission.ts';
import { type AdmissionConfiguration, admissionPlugins } from '../admission-plugins/admission-plugins.ts';
import type { TolerationSeconds } from '../admission-plugins/default-toleration-seconds.ts';
import { type Authenticator, anonymousAt, bearerTokens, clientCertificates } from './authentication.ts';
import { type Authorizer, alwaysAllow, alwaysDeny, ReplaceableAuthorizers } from './authorization.ts';
import type { AuthorizerEntry } from './authorization-configuration.ts';
import { bootstrapTokens } from './bootstrap-tokens.ts';
import { issuerTokens } from './jwt/issuers.ts';
import type { AuthenticationConfiguration } from './jwt/types.ts';
import { nodeAuthorizer } from './node.ts';
import { rbac, superusers } from './rbac.ts';
import { requestHeaders } from './request-headers.ts';
import { serviceAccountTokens, type TokenSettings } from './service-account-tokens.ts';
import { staticTokens } from './static-tokens.ts';
import { type TokenWebhookOptions, tokenWebhook } from './token-webhook.ts';
import type { TokenIssuer } from './tokens.ts';
import { authorizationWebhook } from './webhook/webhook.ts';

export interface Access {
  readonly authenticators: readonly Authenticator[];
  readonly authorizers: readonly Authorizer[];
  readonly admission: readonly AdmissionPlugin[];
  readonly tokens: TokenIssuer;
  /** Starts informers of roles, bindings and pods. Resolves when they have synced. */
  start(context: Omit<ComponentContext, 'metrics' | 'fatal'>): Promise<void>;
  /** Brings another configuration into use from the next request on. Rejects, without any change, while it cannot. */
  update(change: AccessChange): Promise<void>;
  stop(): Promise<void>;
}

/** Parts that may change while the server runs. */
export type AccessChange = Pick<AccessOptions, 'authentication' | 'authorization' | 'authorizationServers'>;

export interface AccessOptions extends Pick<ComponentContext, 'clock' | 'random' | 'metrics'> {
  /** Service account tokens. */
  readonly serviceAccounts: TokenSettings;
  /** False: bootstrap tokens are refused. Default: true. */
  readonly bootstrapTokens?: boolean;
  /** Accepts pods without a service account. */
  readonly missingServiceAccounts?: boolean;
  /** False: pods with privileged containers are invalid. Default: true. */
  readonly privilegedContainers?: boolean;
  /** For how long pods stay on nodes that are not ready or unreachable, by default five minutes. */
  readonly tolerationSeconds?: TolerationSeconds;
  /** Names of admission plugins that do not run. Default: none. */
  readonly disabledAdmissionPlugins?: readonly string[];
  /** Names of admission plugins that run beside the default ones. Default: none. */
  readonly enabledAdmissionPlugins?: readonly string[];
  readonly admissionConfiguration?: AdmissionConfiguration;
  /** False: requests without credentials are refused. Default: true. */
  readonly anonymousAuth?: boolean;
  /** Text of a token file: token, user, uid and groups in each line. */
  readonly tokenFile?: string;
  /** A server that authenticates other tokens. */
  readonly tokenWebhook?: Omit<TokenWebhookOptions, 'clock'>;
  /** Trusted token issuers, and the paths with anonymous access. */
  readonly authentication?: AuthenticationConfiguration;
  /** Default: Node, then RBAC. */
  readonly authorization?: readonly AuthorizerEntry[];
  /** The servers of authorization webhooks, by the webhooks' names. */
  readonly authorizationServers?: ReadonlyMap<string, RemoteServer>;
}

const defaultAuthorizers: readonly AuthorizerEntry[] = [
  { type: 'Node', name: 'node' },
  { type: 'RBAC', name: 'rbac' },
];

/**
 * Kubernetes' authentication (certificates and tokens), authorization (Node and RBAC by default) and admission plugins.
 */
export function createAccess(options: AccessOptions): Access {
  const { clock, random, metrics, serviceAccounts, missingServiceAccounts, privilegedContainers } = options;
  let client: Client | undefined;
  const reader = () => {
    if (!client) throw new Error('access was asked for before it was started');
    return client;
  };
  const { issuer: tokens, authenticator } = serviceAccountTokens({
    ...serviceAccounts,
    ...{ clock, random, metrics },
    client: reader,
  });
  const issuers = issuerTokens(options.authentication?.jwt ?? [], clock);
  const configured = new ReplaceableAuthorizers();
  let authorizersOf: ((change: AccessChange) => Authorizer[]) | undefined;
  let informers: { synced(): Promise<void>; stop(): Promise<void> }[] = [];
  return {
    authenticators: [
      requestHeaders,
      clientCertificates,
      bearerTokens(tokenReaders(options, authenticator, issuers.authenticator, reader)),
      ...anonymousAccess(options),
    ],
    authorizers: [superusers, configured],
    admission: admissionPlugins(reader, {
      missingServiceAccounts,
      privilegedContainers,
      tolerationSeconds: options.tolerationSeconds,
      enabled: options.enabledAdmissionPlugins,
      disabled: options.disabledAdmissionPlugins,
      configuration: options.admissionConfiguration,
      clock,
    }),
    tokens,
    async start(context) {
      client = context.client;
      const sources = {
        roles: createInformer(context, 'roles'),
        clusterRoles: createInformer(context, 'clusterroles'),
        roleBindings: createInformer(context, 'rolebindings'),
        clusterRoleBindings: createInformer(context, 'clusterrolebindings'),
      };
      const pods = createInformer(context, 'pods');
      informers = [...Object.values(sources), pods];
      await Promise.all(informers.map((informer) => informer.synced()));
      const made = { Node: nodeAuthorizer(pods, reader), RBAC: rbac(sources) };
      authorizersOf = ({ authorization = defaultAuthorizers, authorizationServers }) =>
        authorization.map((entry) => authorizerOf(entry, made, { authorizationServers, clock }, context.logger));
      configured.replace(authorizersOf(options));
    },
    async update(change) {
      const authorizers = change.authorization && authorizersOf?.(change);
      if (change.authentication) await issuers.replace(change.authentication.jwt ?? []);
      if (authorizers) configured.replace(authorizers);
    },
    stop: async () => void (await Promise.all(informers.map((informer) => informer.stop()))),
  };
}

/** In the order of Kubernetes. */
function tokenReaders(
  { tokenFile, tokenWebhook: webhook, bootstrapTokens: hasBootstrapTokens = true, clock }: AccessOptions,
  serviceAccounts: Authenticator,
  issuers: Authenticator,
  reader: () => Client,
): Authenticator[] {
  return [
    ...(tokenFile === undefined ? [] : [staticTokens(tokenFile)]),
    serviceAccounts,
    ...(hasBootstrapTokens ? [bootstrapTokens(reader, clock)] : []),
    issuers,
    ...(webhook ? [tokenWebhook({ ...webhook, clock })] : []),
  ];
}

function anonymousAccess({ anonymousAuth, authentication }: AccessOptions): Authenticator[] {
  const configured = authentication?.anonymous;
  if (!configured) return anonymousAuth === false ? [] : [anonymousAt()];
  if (!configured.enabled) return [];
  return [anonymousAt(configured.conditions?.length ? configured.conditions.map(({ path }) => path) : undefined)];
}

function authorizerOf(
  entry: AuthorizerEntry,
  made: Readonly<Record<'Node' | 'RBAC', Authorizer>>,
  { authorizationServers, clock }: Pick<AccessOptions, 'authorizationServers' | 'clock'>,
  logger: Logger,
): Authorizer {
  if (entry.type === 'AlwaysAllow') return alwaysAllow;
  if (entry.type === 'AlwaysDeny') return alwaysDeny;
  if (entry.type !== 'Webhook') return made[entry.type];
  const { name, webhook: configuration } = entry;
  const server = authorizationServers?.get(name);
  if (!server) throw new Error(`no server is known for the authorization webhook ${name}`);
  return authorizationWebhook({ name, configuration, server, clock, logger });
}
