// Metrics of authentication and authorization.

import { exponentialBuckets, type Metrics, perRegistry } from '../../machinery/metrics.ts';

const seconds = exponentialBuckets(0.001, 2, 15);
const day = 86_400;
const lifetimes = [0, 1_800, 3_600, 7_200, 21_600, 43_200, ...[1, 2, 4, 7, 30, 90, 180, 360].map((days) => days * day)];

export type AuthenticationResult = 'success' | 'failure' | 'error';
export type AuthorizationResult = 'allowed' | 'denied' | 'no-opinion' | 'error';

export const accessMetrics = perRegistry((metrics) => {
  const users = metrics.counter(
    'authenticated_user_requests',
    'Counter of authenticated requests broken out by username.',
  );
  return {
    authentication: authenticationSeries(metrics),
    authorization: authorizationSeries(metrics),
    users: new Map([...reportedUsers, 'email_id', 'other'].map((username) => [username, users.at({ username })])),
    certificateLifetime: metrics
      .histogram(
        'apiserver_client_certificate_expiration_seconds',
        'Distribution of the remaining lifetime on the certificate used to authenticate a request.',
        lifetimes,
      )
      .at(),
  };
});

const reportedUsers = ['admin', 'client', 'kube_proxy', 'kubelet', 'system:serviceaccount:kube-system:default'];

/** Kubernetes' categories of user names, which are few. */
export const reportedUser = (name: string): string =>
  reportedUsers.includes(name) ? name : name.includes('@') ? 'email_id' : 'other';

function authenticationSeries(metrics: Metrics) {
  const attempts = metrics.counter('authentication_attempts', 'Counter of authenticated attempts.');
  const duration = metrics.histogram(
    'authentication_duration_seconds',
    'Authentication duration in seconds broken out by result.',
    seconds,
  );
  const at = (result: AuthenticationResult) => ({
    attempts: attempts.at({ result }),
    duration: duration.at({ result }),
  });
  return { success: at('success'), failure: at('failure'), error: at('error') };
}

function authorizationSeries(metrics: Metrics) {
  const attempts = metrics.counter(
    'authorization_attempts_total',
    "Counter of authorization attempts broken down by result. It can be either 'allowed', 'denied', 'no-opinion' or 'error'.",
  );
  const duration = metrics.histogram(
    'authorization_duration_seconds',
    'Authorization duration in seconds broken out by result.',
    seconds,
  );
  const at = (result: AuthorizationResult) => ({
    attempts: attempts.at({ result }),
    duration: duration.at({ result }),
  });
  return { allowed: at('allowed'), denied: at('denied'), 'no-opinion': at('no-opinion'), error: at('error') };
}
