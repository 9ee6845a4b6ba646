// All flags of kube-apiserver 1.36, in the sections of its --help.

import { featureGates, runtimeConfig } from './features.ts';
import { bool, duration, type Flag, ignored, integer, list, only, refused, text, type ValuesOf } from './flag.ts';
import { admissionFlags, auditFlags, authenticationFlags, authorizationFlags } from './flags-access.ts';
import { networkFlags, servingFlags, storeFlags } from './flags-serving.ts';

const genericFlags = {
  'debug-socket-path': refused(text('socket for profiles'), 'profiles are read over HTTPS; leave it out'),
  'emulated-version': refused(list('version to behave as'), 'it is Kubernetes 1.36; leave it out'),
  'emulation-forward-compatible': only(bool('serve newer versions'), [false], 'leave it out'),
  'enable-priority-and-fairness': only(
    bool('share seats by priority and fairness', true),
    [true],
    'give users of their own levels more seats instead, in a PriorityLevelConfiguration',
  ),
  'feature-gates': featureGates,
  'goaway-chance': ignored(text('share of requests after which a client connects again', '0')),
  'livez-grace-period': ignored(duration('time in which a start that is not complete counts as alive', '0s')),
  'max-mutating-requests-inflight': integer('with --max-requests-inflight: requests at a time', 200),
  'max-requests-inflight': integer('with --max-mutating-requests-inflight: requests at a time', 400),
  'min-compatibility-version': refused(list('oldest version of another server'), 'leave it out'),
  'min-request-timeout': integer('seconds after which a watch ends at the earliest', 1_800),
  'peer-advertise-ip': refused(text('address for other API servers'), 'servers do not call each other'),
  'peer-advertise-port': refused(text('port for other API servers'), 'servers do not call each other'),
  'peer-ca-file': refused(text('CA of other API servers'), 'servers do not call each other'),
  'request-timeout': duration('time limit of a request', '1m0s'),
  'runtime-config': runtimeConfig,
  'runtime-config-emulation-forward-compatible': only(bool('emulation'), [false], 'leave it out'),
  'send-retry-after-while-not-ready-once': ignored(bool('answer Retry-After until ready')),
  'shutdown-delay-duration': duration('time between not being ready and refusing requests', '0s'),
  'shutdown-send-retry-after': ignored(bool('answer Retry-After while it stops')),
  'shutdown-watch-termination-grace-period': ignored(duration('time for watches to end', '0s')),
};

const coordinationFlags = Object.fromEntries(
  ['lease-duration', 'renew-deadline', 'retry-period'].map((name) => [
    `coordinated-leadership-${name}`,
    ignored(duration('coordinated leader election, which is off', '0s')),
  ]),
);

const debugFlags = {
  'allow-metric-labels': refused(list('labels of metrics'), 'metrics have all their labels'),
  'allow-metric-labels-manifest': refused(text('labels of metrics'), 'metrics have all their labels'),
  'contention-profiling': ignored(bool('profile locks')),
  'disabled-metrics': refused(list('metrics that are left out'), 'drop them where they are collected'),
  'enable-logs-handler': only(bool('serve /logs'), [false], 'logs of the machine are not served'),
  profiling: bool('serve profiles below /debug/pprof', true),
  'show-hidden-metrics-for-version': ignored(text('version whose hidden metrics are shown')),
  'tracing-config-file': text('TracingConfiguration: the collector that gets traces of requests, by OTLP over HTTP'),
};

const logFlags = {
  'log-flush-frequency': ignored(duration('time between flushes', '5s')),
  'log-json-info-buffer-size': ignored(text('buffer')),
  'log-json-split-stream': ignored(bool('errors apart')),
  'log-text-info-buffer-size': ignored(text('buffer')),
  'log-text-split-stream': ignored(bool('errors apart')),
  'logging-format': ignored(text('form of the log, which is JSON', 'json')),
  v: integer('detail of the log: 4 and above shows all', 0),
  vmodule: ignored(text('detail by file')),
};

const ownFlags = {
  help: bool('show this text'),
  version: {
    ...text('print the version and end; raw for all of it', 'false'),
    isSwitch: true,
  } satisfies Flag<string>,
};

/** Sections of --help. */
export const sections = {
  Generic: genericFlags,
  Etcd: storeFlags,
  'Secure serving': servingFlags,
  Auditing: auditFlags,
  Authentication: authenticationFlags,
  Authorization: authorizationFlags,
  Admission: admissionFlags,
  Network: networkFlags,
  Coordination: coordinationFlags,
  Debugging: debugFlags,
  Logs: logFlags,
  Global: ownFlags,
};

export const flags = {
  ...genericFlags,
  ...storeFlags,
  ...servingFlags,
  ...(auditFlags as Pick<typeof auditFlags, UsedAudit> & Record<`audit-${string}`, Flag<unknown>>),
  ...authenticationFlags,
  ...authorizationFlags,
  ...admissionFlags,
  ...networkFlags,
  ...coordinationFlags,
  ...debugFlags,
  ...logFlags,
  ...ownFlags,
};

type UsedAudit =
  | 'audit-log-maxage'
  | 'audit-log-maxbackup'
  | 'audit-log-maxsize'
  | 'audit-log-path'
  | 'audit-policy-file'
  | 'audit-webhook-config-file';

export type FlagValues = ValuesOf<typeof flags>;
