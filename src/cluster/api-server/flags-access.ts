// The flags of kube-apiserver for authentication, authorization, admission and audit.

import { SettingError } from '../settings/settings.ts';
import { bool, duration, type Flag, ignored, integer, list, only, refused, text, texts } from './flag.ts';

export const authenticationFlags = {
  'anonymous-auth': bool('let requests without credentials in as system:anonymous', true),
  'api-audiences': list('names of this API in tokens; by default the issuers'),
  'authentication-config': text('AuthenticationConfiguration: issuers of tokens, and where anonymous users may go'),
  'authentication-token-webhook-cache-ttl': duration('how long answers of the token webhook count', '2m0s'),
  'authentication-token-webhook-config-file': text('kubeconfig of a server that knows further tokens'),
  'authentication-token-webhook-version': versions('version of TokenReviews', 'v1beta1', ['v1', 'v1beta1']),
  'client-ca-file': text('CAs of client certificates'),
  'enable-bootstrap-token-auth': bool('accept Secrets of type bootstrap.kubernetes.io/token as tokens'),
  'oidc-ca-file': text("CA of the issuer's certificate; by default those of this machine"),
  'oidc-client-id': text('audience of the tokens'),
  'oidc-groups-claim': text('claim of the groups'),
  'oidc-groups-prefix': text('prefix of the groups'),
  'oidc-issuer-url': text('URL of an OpenID Connect issuer'),
  'oidc-required-claim': texts('claim=value that a token must have; may be repeated'),
  'oidc-signing-algs': list('signatures that are accepted', ['RS256']),
  'oidc-username-claim': text('claim of the user name', 'sub'),
  'oidc-username-prefix': text('prefix of the user name, - for none; by default the issuer and #'),
  'requestheader-allowed-names': list('common names of front proxies; all names when empty'),
  'requestheader-client-ca-file': text("CA of front proxies' certificates"),
  'requestheader-extra-headers-prefix': list('prefixes of headers with extra fields of a user'),
  'requestheader-group-headers': list('headers with groups of a user'),
  'requestheader-uid-headers': list('headers with the uid of a user'),
  'requestheader-username-headers': list('headers with the name of a user'),
  'service-account-extend-token-expiration': bool('let tokens of pods live for a year, with warnings', true),
  'service-account-issuer': texts('issuer of service account tokens; more of them are accepted, too'),
  'service-account-jwks-uri': text('where the public keys of tokens can be found'),
  'service-account-key-file': texts('public keys of service account tokens; may be repeated'),
  'service-account-lookup': only(
    bool('check that service accounts of tokens exist', true),
    [true],
    'tokens end with their service account; leave it out',
  ),
  'service-account-max-token-expiration': duration('longest life of a token', '0s'),
  'service-account-signing-endpoint': refused(text('socket of a signer'), 'give --service-account-signing-key-file'),
  'service-account-signing-key-file': text('key that signs service account tokens'),
  'token-auth-file': text('bearer tokens, one a line: token,user,uid,"group1,group2"'),
};

const modes = ['AlwaysAllow', 'AlwaysDeny', 'Webhook', 'RBAC', 'Node'];

const authorizationMode: Flag<readonly string[]> = {
  ...list('who decides, in this order; AlwaysAllow when nothing is given', []),
  read: (values) => {
    const given = list('').read(values);
    for (const mode of given) {
      if (mode === 'ABAC') throw new SettingError('ABAC is not supported: use RBAC or Webhook');
      if (!modes.includes(mode)) throw new SettingError(`there is no mode ${mode}. There are: ${modes.join(', ')}`);
    }
    const twice = given.find((mode, index) => given.indexOf(mode) !== index);
    if (twice) throw new SettingError(`${twice} is given twice`);
    return given;
  },
};

export const authorizationFlags = {
  'authorization-config': text('AuthorizationConfiguration: who decides what users may do'),
  'authorization-mode': authorizationMode,
  'authorization-policy-file': refused(text('ABAC policy'), 'ABAC is not supported; use RBAC'),
  'authorization-webhook-cache-authorized-ttl': duration('how long "yes" of the webhook counts', '5m0s'),
  'authorization-webhook-cache-unauthorized-ttl': duration('how long "no" of the webhook counts', '30s'),
  'authorization-webhook-config-file': text('kubeconfig of the server that decides in mode Webhook'),
  'authorization-webhook-version': versions('version of SubjectAccessReviews', 'v1beta1', ['v1', 'v1beta1']),
};

export const admissionFlags = {
  'admission-control': refused(list('plugins'), 'give --enable-admission-plugins or --disable-admission-plugins'),
  'admission-control-config-file': text('AdmissionConfiguration: configuration of admission plugins'),
  'default-not-ready-toleration-seconds': integer('seconds for which pods stay on a node that is not ready', 300),
  'default-unreachable-toleration-seconds': integer('seconds for which pods stay on an unreachable node', 300),
  'disable-admission-plugins': list('admission plugins that do not run'),
  'enable-admission-plugins': list('admission plugins that run beside the default ones'),
};

const batches = (backend: string): Record<string, Flag<unknown>> => ({
  [`audit-${backend}-batch-buffer-size`]: ignored(integer('events that wait', 10_000)),
  [`audit-${backend}-batch-max-size`]: ignored(integer('events of a batch', backend === 'log' ? 1 : 400)),
  [`audit-${backend}-batch-max-wait`]: ignored(duration('time until a batch is written', '30s')),
  [`audit-${backend}-batch-throttle-burst`]: ignored(integer('batches at once', 15)),
  [`audit-${backend}-batch-throttle-enable`]: ignored(bool('limit the rate of batches', backend !== 'log')),
  [`audit-${backend}-batch-throttle-qps`]: ignored(text('batches a second', backend === 'log' ? '0' : '10')),
  [`audit-${backend}-truncate-enabled`]: only(
    bool('cut large events'),
    [false],
    'events are written whole; leave it out',
  ),
  [`audit-${backend}-truncate-max-batch-size`]: ignored(integer('bytes of a batch', 10_485_760)),
  [`audit-${backend}-truncate-max-event-size`]: ignored(integer('bytes of an event', 102_400)),
  [`audit-${backend}-version`]: only(text('version of events', 'audit.k8s.io/v1'), ['audit.k8s.io/v1'], 'give v1'),
});

export const auditFlags = {
  ...batches('log'),
  ...batches('webhook'),
  'audit-log-compress': only(bool('compress old logs'), [false], 'old logs are kept as they are; leave it out'),
  'audit-log-format': only(text('form of the log', 'json'), ['json'], 'the log has JSON lines'),
  'audit-log-maxage': integer('days for which old logs are kept; 0 for ever', 0),
  'audit-log-maxbackup': integer('number of old logs that are kept; 0 for all', 0),
  'audit-log-maxsize': integer('megabytes of a log', 0),
  'audit-log-mode': only(
    text('when events are written', 'blocking'),
    ['blocking', 'batch', 'blocking-strict'],
    'give blocking',
  ),
  'audit-log-path': text('log of requests, - for the output'),
  'audit-policy-file': text('policy of audit.k8s.io/v1: which requests are recorded'),
  'audit-webhook-config-file': text('kubeconfig of a server that gets the records'),
  'audit-webhook-initial-backoff': ignored(duration('time until a batch is sent again', '10s')),
  'audit-webhook-batch-initial-backoff': ignored(duration('time until a batch is sent again', '10s')),
  'audit-webhook-mode': only(text('when events are sent', 'batch'), ['batch'], 'events are sent in batches'),
};

function versions(help: string, usual: string, allowed: readonly string[]): Flag<string> {
  return only(text(help, usual), allowed, `give ${allowed.join(' or ')}`);
}
