// Who may enter and what they may do: everything together, over the server's own caches.

import { type Client, type ComponentContext, createInformer } from '../../client/client.ts';
import type { AdmissionPlugin } from '../admission.ts';
import { admissionPlugins } from '../admission-plugins/admission-plugins.ts';
import { type Authenticator, anonymous, clientCertificates } from './authentication.ts';
import type { Authorizer } from './authorization.ts';
import { nodeAuthorizer } from './node.ts';
import { rbac, superusers } from './rbac.ts';
import { requestHeaders } from './request-headers.ts';
import { serviceAccountTokens } from './service-account-tokens.ts';
import type { TokenIssuer } from './tokens.ts';

export interface Access {
  readonly authenticators: readonly Authenticator[];
  readonly authorizers: readonly Authorizer[];
  readonly admission: readonly AdmissionPlugin[];
  readonly tokens: TokenIssuer;
  /** Begins to follow roles, bindings and pods. Resolves when all of them are known. */
  start(context: Omit<ComponentContext, 'metrics' | 'fatal'>): Promise<void>;
  stop(): Promise<void>;
}

interface AccessOptions extends Pick<ComponentContext, 'clock' | 'random'> {
  /** PEM of the key (RSA or P-256) that signs service account tokens. */
  readonly signingKey: string;
  /** Issuer of those tokens, such as https://kubernetes.default.svc.cluster.local. */
  readonly issuer: string;
  /** Pods that name no service account need none. */
  readonly missingServiceAccounts?: boolean;
  /** Names of admission plugins that do not run. Default: none. */
  readonly disabledAdmissionPlugins?: readonly string[];
  /** False: requests without credentials are refused. Default: true. */
  readonly anonymousAuth?: boolean;
}

/** Kubernetes' own way in: certificates and tokens; Node and RBAC; the admission plugins. */
export function createAccess(options: AccessOptions): Access {
  const { clock, random, signingKey, issuer, missingServiceAccounts, disabledAdmissionPlugins = [] } = options;
  let client: Client | undefined;
  const reader = () => {
    if (!client) throw new Error('access was asked for before it was started');
    return client;
  };
  const { issuer: tokens, authenticator } = serviceAccountTokens({ signingKey, issuer, clock, random, client: reader });
  const authorizers: Authorizer[] = [superusers];
  let informers: { synced(): Promise<void>; stop(): Promise<void> }[] = [];
  return {
    authenticators: [
      requestHeaders,
      clientCertificates,
      authenticator,
      ...(options.anonymousAuth === false ? [] : [anonymous]),
    ],
    authorizers,
    admission: admissionPlugins(reader, { missingServiceAccounts }).filter(
      ({ name }) => !disabledAdmissionPlugins.includes(name),
    ),
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
      authorizers.push(nodeAuthorizer(pods, reader), rbac(sources));
    },
    stop: async () => void (await Promise.all(informers.map((informer) => informer.stop()))),
  };
}
