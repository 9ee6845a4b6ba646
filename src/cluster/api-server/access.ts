// Authentication, authorization and admission from the flags, as the configuration that a cluster has.

import path from 'node:path';
import {
  type AccessOptions,
  type AuthorizerEntry,
  parseAuthenticationConfiguration,
} from '../../kube-apiserver/kube-apiserver.ts';
import type { Logger } from '../../machinery/logger.ts';
import { type AccessFiles, type AccessFilesContext, readAccessFiles } from '../configuration/access-files.ts';
import { readAdmissionFiles } from '../configuration/admission-files.ts';
import { readRemoteServer } from '../remote-server.ts';
import { absolute, readNamed, readTokenKeys } from './files.ts';
import type { FlagValues } from './flags.ts';

type Access = Omit<AccessOptions, 'clock' | 'random' | 'metrics'>;

interface AccessContext extends Omit<AccessFilesContext, 'issuer'> {
  readonly logger: Logger;
}

interface FlaggedAccess extends Pick<AccessFiles, 'onChange'> {
  readonly access: Access;
}

/** `url` is where clients reach this server. Rejects with the faulty file. */
export async function readAccess(values: FlagValues, url: string, context: AccessContext): Promise<FlaggedAccess> {
  const [issuer = '', ...formerIssuers] = values['service-account-issuer'];
  const longest = values['service-account-max-token-expiration'];
  const authorization = authorizersOf(values);
  const { options: files, onChange } = await readAccessFiles(
    {
      authenticationConfig: absolute(values['authentication-config']),
      authorizationConfig: absolute(values['authorization-config']),
      authenticationTokenWebhook: absolute(values['authentication-token-webhook-config-file']),
      tokenAuthFile: absolute(values['token-auth-file']),
    },
    { ...context, issuer },
  );
  const enabled = values['enable-admission-plugins'];
  const disabled = disabledPlugins(values);
  const webhookFile = values['authorization-webhook-config-file'];
  const oidc = await oidcConfiguration(values, issuer);
  const access: Access = {
    ...files,
    ...(files.tokenWebhook && {
      tokenWebhook: {
        ...files.tokenWebhook,
        version: values['authentication-token-webhook-version'],
        cacheTtlMs: values['authentication-token-webhook-cache-ttl'],
      },
    }),
    ...(oidc && { authentication: oidc }),
    ...(!files.authorization && { authorization }),
    ...(webhookFile && {
      authorizationServers: new Map([['default', await readRemoteServer(webhookFile, 'the authorization webhook')]]),
    }),
    serviceAccounts: {
      ...(await readTokenKeys(values['service-account-signing-key-file'], values['service-account-key-file'])),
      issuer,
      formerIssuers,
      audiences: values['api-audiences'],
      jwksUri: values['service-account-jwks-uri'] || `${url}/openid/v1/jwks`,
      ...(longest > 0 && { longestSeconds: Math.floor(longest / 1_000) }),
      extendsTokens: values['service-account-extend-token-expiration'],
    },
    bootstrapTokens: values['enable-bootstrap-token-auth'],
    anonymousAuth: anonymousAuth(values, files.authorization ?? authorization, context.logger),
    privilegedContainers: values['allow-privileged'],
    tolerationSeconds: {
      notReady: values['default-not-ready-toleration-seconds'],
      unreachable: values['default-unreachable-toleration-seconds'],
    },
    disabledAdmissionPlugins: disabled,
    enabledAdmissionPlugins: enabled,
    admissionConfiguration: await readAdmissionFiles({
      admissionControlConfig: absolute(values['admission-control-config-file']),
      enableAdmissionPlugins: enabled,
      disableAdmissionPlugins: disabled,
    }),
  };
  return { access, onChange };
}

/** It runs by default in a cluster of Coracle, and in Kubernetes only by name. */
const onRequest = 'NodeRestriction';

const disabledPlugins = (values: FlagValues): readonly string[] => [
  ...values['disable-admission-plugins'],
  ...(values['enable-admission-plugins'].includes(onRequest) ? [] : [onRequest]),
];

/** Without authorization, requests without credentials are refused. */
function anonymousAuth(values: FlagValues, authorizers: readonly AuthorizerEntry[], logger: Logger): boolean {
  if (!values['anonymous-auth'] || !authorizers.some(({ type }) => type === 'AlwaysAllow'))
    return values['anonymous-auth'];
  logger.warn(
    'AnonymousAuth is not allowed with the AlwaysAllow authorizer. Resetting AnonymousAuth to false. You should use a different authorizer',
  );
  return false;
}

function authorizersOf(values: FlagValues): readonly AuthorizerEntry[] {
  const modes = values['authorization-mode'].length > 0 ? values['authorization-mode'] : ['AlwaysAllow'];
  return modes.map((mode): AuthorizerEntry => {
    if (mode !== 'Webhook') return { type: mode as 'RBAC', name: mode.toLowerCase() };
    const seconds = (ms: number) => `${ms / 1_000}s`;
    const [allowed, denied] = [
      values['authorization-webhook-cache-authorized-ttl'],
      values['authorization-webhook-cache-unauthorized-ttl'],
    ];
    return {
      type: 'Webhook',
      name: 'default',
      webhook: {
        authorizedTTL: seconds(allowed),
        cacheAuthorizedRequests: allowed > 0,
        unauthorizedTTL: seconds(denied),
        cacheUnauthorizedRequests: denied > 0,
        timeout: '30s',
        subjectAccessReviewVersion: values['authorization-webhook-version'],
        failurePolicy: 'NoOpinion',
        connectionInfo: {
          type: 'KubeConfigFile',
          kubeConfigFile: path.resolve(values['authorization-webhook-config-file']),
        },
      },
    };
  });
}

/** The --oidc-* flags as one issuer of an AuthenticationConfiguration. */
async function oidcConfiguration(values: FlagValues, ownIssuer: string): Promise<Access['authentication']> {
  const url = values['oidc-issuer-url'];
  if (!url) return undefined;
  const claim = values['oidc-username-claim'];
  const prefix = values['oidc-username-prefix'] || (claim === 'email' ? '-' : `${url}#`);
  const groups = values['oidc-groups-claim'];
  const certificateAuthority = await readNamed('oidc-ca-file', values['oidc-ca-file']);
  const configuration = {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthenticationConfiguration',
    jwt: [
      {
        issuer: {
          url,
          audiences: [values['oidc-client-id']],
          ...(certificateAuthority && { certificateAuthority }),
        },
        claimValidationRules: values['oidc-required-claim'].map((text) => {
          const mark = text.indexOf('=');
          return { claim: text.slice(0, mark), requiredValue: text.slice(mark + 1) };
        }),
        claimMappings: {
          username: { claim, prefix: prefix === '-' ? '' : prefix },
          ...(groups && { groups: { claim: groups, prefix: values['oidc-groups-prefix'] } }),
        },
      },
    ],
  };
  const { jwt = [] } = parseAuthenticationConfiguration(JSON.stringify(configuration), ownIssuer);
  return { jwt: jwt.map((entry) => ({ ...entry, signatures: values['oidc-signing-algs'] })) };
}
