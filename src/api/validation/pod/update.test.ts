import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../../kinds/test-faults.ts';

const c = { name: 'c', image: 'i', resources: { limits: { cpu: '1' } } };
const spec = { containers: [c] };
const only =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';
const diff = (...lines: string[]) => `spec: Forbidden: ${only}\n${lines.map((line) => `${line}\n`).join('')}`;
const expectFaults =
  (base: object) =>
  (path: string, value: unknown, faults: string[]): void =>
    expect(faultFinder('v1/pods', base).onUpdate(path, value)).toEqual(faults);

describe('fields', () => {
  const tolerations = [{ key: 'k', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }];
  test.each<FaultRow>([
    // Empty lists and maps equal missing ones.
    ['spec.containers[0].command', [], []],
    ['spec.imagePullSecrets', [], []],
    ['spec.nodeSelector', {}, []],
    ['spec.overhead', {}, []],
    [
      'spec.affinity',
      {},
      [
        diff(
          '@@ -71,7 +71,11 @@',
          '  "Hostname": "",',
          '  "Subdomain": "",',
          '  "SetHostnameAsFQDN": null,',
          '- "Affinity": null,',
          '+ "Affinity": {',
          '+  "NodeAffinity": null,',
          '+  "PodAffinity": null,',
          '+  "PodAntiAffinity": null',
          '+ },',
          '  "SchedulerName": "default-scheduler",',
          '  "Tolerations": [',
          '   {',
        ),
      ],
    ],
    [
      'spec.containers[0].resources.limits',
      {},
      [
        diff(
          '@@ -12,9 +12,7 @@',
          '    "EnvFrom": null,',
          '    "Env": null,',
          '    "Resources": {',
          '-    "Limits": {',
          '-     "cpu": "1"',
          '-    },',
          '+    "Limits": {},',
          '     "Requests": {',
          '      "cpu": "1"',
          '     },',
        ),
      ],
    ],
    [
      'spec.containers[0].image',
      ' j',
      Array(2).fill('spec.containers[0].image: Invalid value: " j": must not have leading or trailing whitespace'),
    ],
    [
      'spec.containers',
      [c, { name: 'd', image: 'i' }],
      ['spec.containers: Forbidden: pod updates may not add or remove containers'],
    ],
    [
      'spec.initContainers',
      [{ name: 'd', image: 'i' }],
      ['spec.initContainers: Forbidden: pod updates may not add or remove containers'],
    ],
    ['spec.activeDeadlineSeconds', 9, []],
    [
      'spec.activeDeadlineSeconds',
      undefined,
      ['spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value'],
    ],
    [
      'spec.activeDeadlineSeconds',
      11,
      ['spec.activeDeadlineSeconds: Invalid value: 11: must be less than or equal to previous value'],
    ],
    [
      'spec.activeDeadlineSeconds',
      0,
      ['spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive'],
    ],
    [
      'spec.activeDeadlineSeconds',
      -1,
      [
        'spec.activeDeadlineSeconds: Invalid value: -1: must be between 1 and 2147483647, inclusive',
        'spec.activeDeadlineSeconds: Invalid value: -1: must be between 0 and 2147483647, inclusive',
      ],
    ],
    [
      'spec.tolerations',
      [],
      ['spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds'],
    ],
    ['spec.tolerations[0].tolerationSeconds', 1, []],
    [
      'spec.tolerations',
      [...tolerations, { key: 'n', effect: 'Odd' }],
      Array(2).fill(
        'spec.tolerations[1].effect: Unsupported value: "Odd": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
      ),
    ],
    [
      'spec.schedulingGates',
      [{ name: 'g' }, { name: 'g' }],
      [
        'spec.schedulingGates[1]: Duplicate value: "g"',
        "spec.schedulingGates[1].name: Forbidden: only deletion is allowed, but found new scheduling gate 'g'",
      ],
    ],
  ])('%s = %j', expectFaults({ spec: { ...spec, activeDeadlineSeconds: 10, tolerations } }));
});

describe('a pod that gates hold back', () => {
  const required = 'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms';
  const expression = { key: 'k', operator: 'In', values: ['v'] };
  const expressionText = '{"MatchExpressions":[{"Key":"k","Operator":"Exists","Values":null}],"MatchFields":null}';
  test.each<FaultRow>([
    ['spec.schedulingGates', [], []],
    ['spec.nodeSelector', { a: 'b', c: 'd', e: 'f' }, []],
    [
      'spec.nodeSelector',
      {},
      [
        'spec.nodeSelector: Invalid value: {}: only additions to spec.nodeSelector are allowed (no mutations or deletions)',
      ],
    ],
    [`${required}[0].matchExpressions`, [expression, { key: 'l', operator: 'Exists' }], []],
    [`${required}[0].matchFields`, [], []],
    [
      `${required}[0].matchExpressions`,
      [{ key: 'k', operator: 'Exists' }],
      [`${required}[0]: Invalid value: ${expressionText}: only additions are allowed (no mutations or deletions)`],
    ],
    [
      'spec.affinity',
      {},
      [`${required}: Invalid value: null: no additions/deletions to non-empty NodeSelectorTerms list are allowed`],
    ],
  ])(
    '%s = %j',
    expectFaults({
      spec: {
        ...spec,
        schedulingGates: [{ name: 'g' }],
        nodeSelector: { a: 'b', c: 'd' },
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [expression] }] },
          },
        },
      },
    }),
  );
});

describe('annotations', () => {
  const cost = 'controller.kubernetes.io/pod-deletion-cost';
  const armor = 'container.apparmor.security.beta.kubernetes.io/c';
  const at = (key: string) => `metadata.annotations[${key}]`;
  test.each<FaultRow>([
    // Kubernetes checks the annotations of a changed pod twice.
    [
      'metadata.annotations',
      { [cost]: '+1' },
      Array(2).fill(`${at(cost)}: Invalid value: "+1": must be a 32bit integer`),
    ],
    ['metadata.annotations', { [armor]: 'unconfined' }, [`${at(armor)}: Forbidden: may not add AppArmor annotations`]],
    [
      'metadata.annotations',
      { 'kubernetes.io/config.mirror': 'x' },
      [
        `${at('kubernetes.io/config.mirror')}: Invalid value: "x": must set spec.nodeName if mirror pod annotation is set`,
        `${at('kubernetes.io/config.mirror')}: Forbidden: may not add mirror pod annotation`,
        `${at('kubernetes.io/config.mirror')}: Invalid value: "x": must set spec.nodeName if mirror pod annotation is set`,
      ],
    ],
  ])('%s = %j', expectFaults({ spec }));

  test('a cost that was wrong before may stay', () =>
    expectFaults({ metadata: { name: 'x', annotations: { [cost]: '+1' } }, spec })('metadata.labels', { a: 'b' }, []));
});
