// Flags that belong together or exclude each other.

import { defaultAdmissionPlugins, optionalAdmissionPlugins } from '../settings/admission-settings.ts';
import type { FlagValues } from './flags.ts';

/** A certificate and its key. */
const together = [
  ['tls-cert-file', 'tls-private-key-file'],
  ['etcd-certfile', 'etcd-keyfile'],
  ['kubelet-client-certificate', 'kubelet-client-key'],
  ['proxy-client-cert-file', 'proxy-client-key-file'],
] as const;

/** A sentence for each fault. */
export function flagFaults(values: FlagValues, given: ReadonlySet<string>): string[] {
  return [
    ...storeFaults(values),
    ...together
      .filter(([one, other]) => Boolean(values[one]) !== Boolean(values[other]))
      .map(([one, other]) => `--${one} and --${other} must be specified together`),
    ...tokenFaults(values),
    ...authorizationFaults(values, given),
    ...authenticationFaults(values, given),
    ...admissionFaults(values),
    ...(values['max-requests-inflight'] + values['max-mutating-requests-inflight'] === 0
      ? ['--max-requests-inflight and --max-mutating-requests-inflight are both 0: no request could run']
      : []),
    ...(values['request-timeout'] < 1_000 ? ['--request-timeout must be at least 1s'] : []),
  ];
}

function* storeFaults(values: FlagValues): Generator<string> {
  if (values['etcd-servers'].length === 0) yield '--etcd-servers must be specified';
  for (const url of values['etcd-servers'])
    if (!/^https?:\/\/[^/]+\/?$/.test(url)) yield `--etcd-servers: ${url} is no URL such as https://192.0.2.1:2379`;
  if (!/^\/[^/]/.test(values['etcd-prefix']) || values['etcd-prefix'].endsWith('/'))
    yield `--etcd-prefix ${values['etcd-prefix']}: it must begin with / and end without`;
  if (values['encryption-provider-config-automatic-reload'] && !values['encryption-provider-config'])
    yield '--encryption-provider-config-automatic-reload must be set with --encryption-provider-config';
}

function* tokenFaults(values: FlagValues): Generator<string> {
  if (!values['service-account-signing-key-file'] || values['service-account-issuer'].length === 0)
    yield '--service-account-signing-key-file and --service-account-issuer are required flags';
  for (const issuer of values['service-account-issuer'])
    if (issuer.includes(':') && !URL.canParse(issuer)) yield `--service-account-issuer ${issuer} is no valid URL`;
  const longest = values['service-account-max-token-expiration'];
  if (longest !== 0 && (longest < 3_600_000 || longest > 2 ** 32 * 1_000))
    yield 'the service-account-max-token-expiration must be between 1 hour and 2^32 seconds';
}

function* authorizationFaults(values: FlagValues, given: ReadonlySet<string>): Generator<string> {
  const webhook = [...given].filter((name) => name.startsWith('authorization-webhook-'));
  if (values['authorization-config'] && (given.has('authorization-mode') || webhook.length > 0))
    yield '--authorization-config can not be specified when --authorization-mode or --authorization-webhook-* flags are defined';
  const asks = values['authorization-mode'].includes('Webhook');
  const file = values['authorization-webhook-config-file'];
  if (asks && !file) yield '--authorization-mode Webhook needs --authorization-webhook-config-file';
  if (!asks && file) yield '--authorization-webhook-config-file needs --authorization-mode with Webhook';
}

function* authenticationFaults(values: FlagValues, given: ReadonlySet<string>): Generator<string> {
  const oidc = [...given].filter((name) => name.startsWith('oidc-'));
  if (values['authentication-config'] && oidc.length > 0)
    yield `--authentication-config and --${oidc[0]} are mutually exclusive: put the issuer into the file`;
  if (oidc.length > 0 && (!values['oidc-issuer-url'] || !values['oidc-client-id']))
    yield '--oidc-issuer-url and --oidc-client-id must be specified together when any oidc flag is set';
  if (values['oidc-issuer-url'] && !values['oidc-issuer-url'].startsWith('https://'))
    yield `--oidc-issuer-url ${values['oidc-issuer-url']} must be an https:// URL`;
  for (const claim of values['oidc-required-claim'])
    if (!/^[^=]+=/.test(claim)) yield `--oidc-required-claim ${claim}: write claim=value`;
}

function* admissionFaults(values: FlagValues): Generator<string> {
  const { 'enable-admission-plugins': on, 'disable-admission-plugins': off } = values;
  const plugins: readonly string[] = [...defaultAdmissionPlugins, ...optionalAdmissionPlugins];
  for (const name of on)
    if (!plugins.includes(name)) yield `enable-admission-plugins plugin ${JSON.stringify(name)} is unknown`;
    else if (off.includes(name)) yield `${name} in enable-admission-plugins and disable-admission-plugins overlapped`;
  for (const name of off)
    if (!plugins.includes(name)) yield `disable-admission-plugins plugin ${JSON.stringify(name)} is unknown`;
}
