// Validation of workloads: the field, the new value, and Kubernetes' faults.
import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../test-faults.ts';

describe('deployments', () => {
  const find = faultFinder('apps/v1/deployments', {
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  });
  test.each<FaultRow>([
    ['spec.replicas', -1, ['spec.replicas: Invalid value: -1: must be greater than or equal to 0']],
    [
      'spec.selector',
      undefined,
      [
        'spec.selector: Required value',
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
      ],
    ],
    ['spec.selector', {}, ['spec.selector: Invalid value: {}: empty selector is invalid for deployment']],
    [
      'spec.template.metadata.labels',
      { a: 'c' },
      ['spec.template.metadata.labels: Invalid value: {"a":"c"}: `selector` does not match template `labels`'],
    ],
    [
      'spec.template.spec.restartPolicy',
      'Never',
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    [
      'spec.strategy.type',
      'other',
      [
        'spec.strategy: Unsupported value: {"Type":"other","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate"',
      ],
    ],
    [
      'spec.strategy',
      { type: 'Recreate', rollingUpdate: {} },
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      'spec.strategy.rollingUpdate',
      { maxSurge: 0, maxUnavailable: 0 },
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0'],
    ],
    [
      'spec.strategy.rollingUpdate',
      { maxSurge: 'x', maxUnavailable: '101%' },
      [
        "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"x\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
      ],
    ],
    [
      'spec.minReadySeconds',
      600,
      ['spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds'],
    ],
    [
      'spec.progressDeadlineSeconds',
      -1,
      [
        'spec.progressDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0',
        'spec.progressDeadlineSeconds: Invalid value: -1: must be greater than minReadySeconds',
      ],
    ],
    [
      'spec.revisionHistoryLimit',
      -1,
      ['spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0'],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    ['spec.replicas', 2, []],
    [
      'spec.selector.matchLabels',
      { a: 'b', c: 'd' },
      [
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
        'spec.selector: Invalid value: {"matchLabels":{"a":"b","c":"d"}}: field is immutable',
      ],
    ],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('statefulsets', () => {
  const find = faultFinder('apps/v1/statefulsets', {
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      serviceName: 's',
    },
  });
  test.each<FaultRow>([
    [
      'spec.podManagementPolicy',
      'other',
      ["spec.podManagementPolicy: Invalid value: \"other\": must be 'OrderedReady' or 'Parallel'"],
    ],
    [
      'spec.updateStrategy',
      { type: 'OnDelete', rollingUpdate: {} },
      [
        'spec.updateStrategy.rollingUpdate: Invalid value: {"Partition":0,"MaxUnavailable":null}: only allowed for updateStrategy \'RollingUpdate\'',
      ],
    ],
    [
      'spec.updateStrategy.rollingUpdate',
      { partition: -1 },
      ['spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [
      'spec.persistentVolumeClaimRetentionPolicy',
      { whenDeleted: 'x' },
      [
        'spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "x": supported values: "Retain", "Delete"',
      ],
    ],
    ['spec.ordinals', { start: -1 }, ['spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0']],
    [
      'spec.serviceName',
      'A_b',
      [
        "spec.serviceName: Invalid value: \"A_b\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    ['spec.replicas', 3, []],
    [
      'spec.serviceName',
      't',
      [
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      ],
    ],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('daemonsets', () => {
  const find = faultFinder('apps/v1/daemonsets', {
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  });
  test.each<FaultRow>([
    [
      'spec.updateStrategy',
      { type: 'other' },
      [
        'spec.updateStrategy: Unsupported value: {"Type":"other","RollingUpdate":null}: supported values: "RollingUpdate", "OnDelete"',
      ],
    ],
    [
      'spec.updateStrategy.rollingUpdate',
      { maxUnavailable: 0 },
      ['spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0'],
    ],
    [
      'spec.template.spec.restartPolicy',
      'Never',
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    ['spec.minReadySeconds', -1, ['spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0']],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    [
      'spec.selector.matchLabels',
      { a: 'c' },
      [
        'spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable',
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
      ],
    ],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('replicasets', () => {
  const find = faultFinder('apps/v1/replicasets', {
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  });
  test.each<FaultRow>([
    [
      'spec.selector.matchExpressions',
      [{ key: 'k', operator: 'x' }],
      [
        'spec.selector.matchExpressions[0].operator: Invalid value: "x": not a valid selector operator',
        'spec.selector: Invalid value: {"matchLabels":{"a":"b"},"matchExpressions":[{"key":"k","operator":"x"}]}: invalid label selector',
      ],
    ],
    [
      'spec.template',
      undefined,
      [
        'spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`',
        'spec.template.spec.containers: Required value',
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    ['spec.replicas', -1, ['spec.replicas: Invalid value: -1: must be greater than or equal to 0']],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('controllerrevisions', () => {
  const find = faultFinder('apps/v1/controllerrevisions', { revision: 1, data: { a: 1 } });
  test.each<FaultRow>([['revision', -1, ['revision: Invalid value: -1: must be greater than or equal to 0']]])(
    'new: %s = %j',
    (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults),
  );
  test.each<FaultRow>([['data', { a: 2 }, ['data: Invalid value: {"a":2}: field is immutable']]])(
    'changed: %s = %j',
    (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults),
  );
});

describe('jobs', () => {
  const find = faultFinder('batch/v1/jobs', {
    spec: { template: { metadata: {}, spec: { containers: [{ name: 'c', image: 'i' }], restartPolicy: 'Never' } } },
  });
  test.each<FaultRow>([
    ['spec.parallelism', -1, ['spec.parallelism: Invalid value: -1: must be greater than or equal to 0']],
    [
      'spec.completionMode',
      'other',
      ['spec.completionMode: Unsupported value: "other": supported values: "NonIndexed", "Indexed"'],
    ],
    ['spec.completionMode', 'Indexed', []],
    [
      'spec.template.spec.restartPolicy',
      'Always',
      ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ],
    ['spec.backoffLimitPerIndex', 1, ['spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode']],
    [
      'spec.podFailurePolicy',
      { rules: [{ action: 'x' }] },
      [
        'spec.podFailurePolicy.rules[0].action: Unsupported value: "x": supported values: "Count", "FailIndex", "FailJob", "Ignore"',
        'spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required',
      ],
    ],
    [
      'spec.ttlSecondsAfterFinished',
      -1,
      ['spec.ttlSecondsAfterFinished: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [
      'spec.podReplacementPolicy',
      'other',
      ['spec.podReplacementPolicy: Unsupported value: "other": supported values: "Failed", "TerminatingOrFailed"'],
    ],
    [
      'spec.managedBy',
      'x',
      ['spec.managedBy: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")'],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    ['spec.suspend', true, []],
    ['spec.completions', 3, ['spec.completions: Invalid value: 3: field is immutable']],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('cronjobs', () => {
  const find = faultFinder('batch/v1/cronjobs', {
    spec: {
      schedule: '* * * * *',
      jobTemplate: {
        spec: { template: { metadata: {}, spec: { containers: [{ name: 'c', image: 'i' }], restartPolicy: 'Never' } } },
      },
    },
  });
  test.each<FaultRow>([
    ['spec.schedule', '', ['spec.schedule: Required value']],
    ['spec.schedule', '* * *', ['spec.schedule: Invalid value: "* * *": expected exactly 5 fields, found 3: [* * *]']],
    [
      'spec.schedule',
      'TZ=UTC * * * * *',
      [
        'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
      ],
    ],
    ['spec.timeZone', '', ['spec.timeZone: Invalid value: "": timeZone must be nil or non-empty string']],
    ['spec.timeZone', 'no/where', ['spec.timeZone: Invalid value: "no/where": unknown time zone no/where']],
    [
      'spec.concurrencyPolicy',
      'x',
      ['spec.concurrencyPolicy: Unsupported value: "x": supported values: "Allow", "Forbid", "Replace"'],
    ],
    [
      'spec.startingDeadlineSeconds',
      -1,
      ['spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [
      'metadata.name',
      'n'.repeat(53),
      [
        'metadata.name: Invalid value: "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn": must be no more than 52 characters',
      ],
    ],
    [
      'spec.jobTemplate.spec.selector',
      { matchLabels: { a: 'b' } },
      ['spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` will be auto-generated'],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});
