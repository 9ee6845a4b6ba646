import { describe, expect, test } from 'vitest';
import { faultFinder } from '../test-faults.ts';

const standard = 'must be a standard resource type or fully qualified';
const namePart =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

describe('limit ranges', () => {
  const find = faultFinder('v1/limitranges', { metadata: { name: 'x' }, spec: { limits: [] } });
  const l = 'spec.limits[0]';
  test.each<[limits: object[], faults: string[]]>([
    [[{}], [`${l}.type: Invalid value: "": name part must be non-empty`, `${l}.type: Invalid value: "": ${namePart}`]],
    [[{ type: 'Odd' }], [`${l}.type: Invalid value: "Odd": must be a standard limit type or fully qualified`]],
    [[{ type: 'a.b/c' }, { type: 'a.b/c' }], ['spec.limits[1].type: Duplicate value: "a.b/c"']],
    [
      [{ type: 'Pod', default: { cpu: '1' }, defaultRequest: { cpu: '1' } }],
      ['default', 'defaultRequest'].map(
        (list) => `${l}.${list}: Forbidden: may not be specified when \`type\` is 'Pod'`,
      ),
    ],
    [[{ type: 'Pod', default: {}, defaultRequest: {} }], []],
    [
      [{ type: 'PersistentVolumeClaim', max: { cpu: '1' } }],
      [`${l}.limits: Required value: either minimum or maximum storage value is required, but neither was provided`],
    ],
    [
      [{ type: 'Pod', max: { gpu: '1', 'a b': '1' } }],
      [
        `${l}.max[a b]: Invalid value: "a b": ${namePart}`,
        `${l}.max[a b]: Invalid value: "a b": must be a standard resource for containers`,
        `${l}.max[gpu]: Invalid value: "gpu": ${standard}`,
        `${l}.max[gpu]: Invalid value: "gpu": must be a standard resource for containers`,
      ],
    ],
    [
      [
        {
          type: 'Container',
          max: { cpu: '1' },
          min: { cpu: '2' },
          default: { cpu: '3' },
          defaultRequest: { cpu: '4' },
        },
      ],
      [
        `${l}.min[cpu]: Invalid value: "2": min value 2 is greater than max value 1`,
        `${l}.defaultRequest[cpu]: Invalid value: "4": default request value 4 is greater than max value 1`,
        `${l}.defaultRequest[cpu]: Invalid value: "4": default request value 4 is greater than default limit value 3`,
        `${l}.default[cpu]: Invalid value: "1": default value 3 is greater than max value 1`,
      ],
    ],
    [
      [{ type: 'Pod', max: { cpu: '4' }, min: { cpu: '2' }, maxLimitRequestRatio: { cpu: '3' } }],
      [`${l}.maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000`],
    ],
    [
      [{ type: 'Pod', maxLimitRequestRatio: { cpu: '500m' } }],
      [`${l}.maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1`],
    ],
    [
      [{ type: 'Container', default: { 'a.b/c': '2' }, defaultRequest: { 'a.b/c': '1' } }],
      [`${l}.defaultRequest[a.b/c]: Invalid value: "1": default value 2 must equal to defaultRequest value 1 in a.b/c`],
    ],
  ])('%j', (limits, faults) => expect(find.onCreate('spec.limits', limits)).toEqual(faults));
});

describe('quotas', () => {
  const find = faultFinder('v1/resourcequotas', { metadata: { name: 'x' } });
  const e = 'spec.scopeSelector.matchExpressions';
  const exists =
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
  test.each<[spec: object, faults: string[]]>([
    [{ hard: {} }, []],
    [
      { hard: { gpu: '1', pods: '-1500m', storage: '1' } },
      [
        `spec.hard[gpu]: Invalid value: "gpu": ${standard}`,
        'spec.hard[gpu]: Invalid value: "gpu": must be a standard resource for quota',
        'spec.hard[pods]: Invalid value: "-1500m": must be greater than or equal to 0',
        'spec.hard[pods]: Invalid value: "-1500m": must be an integer',
        'spec.hard[storage]: Invalid value: "storage": must be a standard resource for quota',
      ],
    ],
    [{ hard: { 'count/pods': '1', 'requests.a.b/c': '1' } }, []],
    [
      { scopes: ['Odd', 'BestEffort', 'NotBestEffort'], hard: { pods: '1', 'requests.storage': '1' } },
      [
        'unsupported scope',
        'unsupported scope applied to resource',
        'unsupported scope applied to resource',
        'conflicting scopes',
      ].map((why) => `spec.scopes: Invalid value: ["Odd","BestEffort","NotBestEffort"]: ${why}`),
    ],
    [
      { scopeSelector: { matchExpressions: [{}] } },
      [
        `${e}.scopeName: Invalid value: "": unsupported scope`,
        `${e}.operator: Invalid value: "": not a valid selector operator`,
      ],
    ],
    [
      { scopeSelector: { matchExpressions: [{ scopeName: 'Terminating', operator: 'In', values: [] }] } },
      [
        `${e}.operator: Invalid value: "In": ${exists}`,
        `${e}.values: Required value: must be at least one value when \`operator\` is 'In' or 'NotIn' for scope selector`,
      ],
    ],
    [
      { scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'Exists', values: ['a'] }] } },
      [
        `${e}.values: Invalid value: ["a"]: must be no value when \`operator\` is 'Exist' or 'DoesNotExist' for scope selector`,
      ],
    ],
  ])('%j', (spec, faults) => expect(find.onCreate('spec', spec)).toEqual(faults));
});
