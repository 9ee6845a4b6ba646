import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../../kinds/test-faults.ts';

const find = faultFinder('v1/pods', {
  metadata: { name: 'x', labels: { a: 'b' } },
  spec: { containers: [{ name: 'c', image: 'i' }] },
});
const expectFaults = (path: string, value: unknown, faults: string[]) =>
  expect(find.onCreate(path, value)).toEqual(faults);
const namePart =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const noName = (path: string) => [
  `${path}: Invalid value: "": name part must be non-empty`,
  `${path}: Invalid value: "": ${namePart}`,
];
const labelValue =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

describe('affinity to nodes', () => {
  const n = 'spec.affinity.nodeAffinity';
  const required = `${n}.requiredDuringSchedulingIgnoredDuringExecution`;
  const preferred = `${n}.preferredDuringSchedulingIgnoredDuringExecution`;
  const term = (...matchExpressions: object[]) => ({ nodeSelectorTerms: [{ matchExpressions }] });
  const e = `${required}.nodeSelectorTerms[0].matchExpressions[0]`;
  const f = `${required}.nodeSelectorTerms[0].matchFields[0]`;
  const field = (requirement: object) => ({ nodeSelectorTerms: [{ matchFields: [requirement] }] });
  test.each<FaultRow>([
    ['spec.affinity', {}, []],
    [n, {}, []],
    [required, {}, [`${required}.nodeSelectorTerms: Required value: must have at least one node selector term`]],
    [required, { nodeSelectorTerms: [{}] }, []],
    [required, term({}), [`${e}.operator: Invalid value: "": not a valid selector operator`, ...noName(`${e}.key`)]],
    [
      required,
      term({ key: 'k', operator: 'Exists', values: ['v'] }),
      [`${e}.values: Forbidden: may not be specified when \`operator\` is 'Exists' or 'DoesNotExist'`],
    ],
    [required, term({ key: 'k', operator: 'DoesNotExist', values: [] }), []],
    [
      required,
      term({ key: 'k', operator: 'Gt', values: ['1', '2'] }),
      [`${e}.values: Required value: must be specified single value when \`operator\` is 'Lt' or 'Gt'`],
    ],
    [required, term({ key: 'k', operator: 'Lt', values: ['x'] }), []],
    [
      required,
      term({ key: 'k', operator: 'In', values: ['a b'] }),
      [`${e}.values[0]: Invalid value: "a b": ${labelValue}`],
    ],
    [
      required,
      field({ key: 'metadata.uid', operator: 'Exists', values: ['x'] }),
      [
        `${f}.operator: Invalid value: "Exists": not a valid selector operator`,
        `${f}.key: Invalid value: "metadata.uid": not a valid field selector key`,
      ],
    ],
    [
      required,
      field({ key: 'metadata.name', operator: 'In', values: ['a', 'b'] }),
      [
        `${f}.values: Required value: must be only one value when \`operator\` is 'In' or 'NotIn' for node field selector`,
      ],
    ],
    [
      preferred,
      [{ weight: 101, preference: { matchExpressions: [{ key: 'k', operator: 'In', values: ['a b'] }] } }],
      [`${preferred}[0].weight: Invalid value: 101: must be in the range 1-100`],
    ],
    [preferred, [{ preference: {} }], [`${preferred}[0].weight: Invalid value: 0: must be in the range 1-100`]],
  ])('%s = %j', expectFaults);
});

describe('affinity to pods', () => {
  const r = 'spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution';
  const w = 'spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution';
  const noSelector = 'Forbidden: must not be specified when labelSelector is not set';
  test.each<FaultRow>([
    [r, [], []],
    [r, [{}], [`${r}[0].topologyKey: Required value: can not be empty`, ...noName(`${r}[0].topologyKey`)]],
    [
      r,
      [
        {
          topologyKey: 'z',
          labelSelector: { matchExpressions: [{}] },
          namespaceSelector: { matchLabels: { 'a b': '' } },
        },
      ],
      [
        `${r}[0].labelSelector.matchExpressions[0].operator: Invalid value: "": not a valid selector operator`,
        ...noName(`${r}[0].labelSelector.matchExpressions[0].key`),
        `${r}[0].namespaceSelector.matchLabels: Invalid value: "a b": ${namePart}`,
      ],
    ],
    [
      r,
      [{ topologyKey: 'z', namespaces: ['a.b'] }],
      [`${r}[0].namespace: Invalid value: "a.b": must not contain dots`],
    ],
    [
      r,
      [{ topologyKey: 'z', matchLabelKeys: ['a'], mismatchLabelKeys: ['a'] }],
      [
        `${r}[0].matchLabelKeys: ${noSelector}`,
        `${r}[0].mismatchLabelKeys: ${noSelector}`,
        `${r}[0].matchLabelKeys[0]: Invalid value: "a": exists in both matchLabelKeys and mismatchLabelKeys`,
      ],
    ],
    [
      r,
      [{ topologyKey: 'z', labelSelector: { matchLabels: { a: 'b' } }, matchLabelKeys: ['a'] }],
      [`${r}[0][0]: Invalid value: "a": exists in both matchLabelKeys and labelSelector`],
    ],
    [
      r,
      [{ topologyKey: 'z', labelSelector: {}, matchLabelKeys: ['a b'] }],
      [`${r}[0].matchLabelKeys[0]: Invalid value: "a b": ${namePart}`],
    ],
    [
      w,
      [{ weight: 1 }],
      [
        `${w}[0].podAffinityTerm.topologyKey: Required value: can not be empty`,
        ...noName(`${w}[0].podAffinityTerm.topologyKey`),
      ],
    ],
  ])('%s = %j', expectFaults);
});

describe('spreading', () => {
  const t = 'spec.topologySpreadConstraints';
  const one = (fields: object) => ({ maxSkew: 1, topologyKey: 'z', whenUnsatisfiable: 'DoNotSchedule', ...fields });
  test.each<FaultRow>([
    [t, [], []],
    [
      t,
      [one({ maxSkew: -1 }), one({}), one({})],
      [
        `${t}[0].maxSkew: Invalid value: -1: must be greater than zero`,
        `${t}[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{z, DoNotSchedule}"`,
        `${t}[1].{topologyKey, whenUnsatisfiable}: Duplicate value: "{z, DoNotSchedule}"`,
      ],
    ],
    [
      t,
      [one({ minDomains: 0, whenUnsatisfiable: 'ScheduleAnyway' })],
      [
        `${t}[0].minDomains: Invalid value: 0: must be greater than zero`,
        `${t}[0].minDomains: Invalid value: 0: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway`,
      ],
    ],
    [
      t,
      [one({ nodeAffinityPolicy: '', nodeTaintsPolicy: 'Odd' })],
      [
        `${t}[0].nodeAffinityPolicy: Unsupported value: "": supported values: "Honor", "Ignore"`,
        `${t}[0].nodeTaintsPolicy: Unsupported value: "Odd": supported values: "Honor", "Ignore"`,
      ],
    ],
    [
      t,
      [one({ matchLabelKeys: ['a'] })],
      [`${t}[0].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set`],
    ],
    [
      t,
      [one({ matchLabelKeys: ['a'], labelSelector: { matchExpressions: [{ key: 'a', operator: 'Exists' }] } })],
      [`${t}[0][0]: Invalid value: "a": exists in both matchLabelKeys and labelSelector`],
    ],
    [t, [one({ topologyKey: 'a b' })], []],
  ])('%s = %j', expectFaults);
});

describe('tolerations', () => {
  const t = 'spec.tolerations';
  test.each<FaultRow>([
    [t, [], []],
    [
      t,
      [{}],
      [
        `${t}[0].operator: Invalid value: "": operator must be Exists when \`key\` is empty, which means "match all values and all keys"`,
      ],
    ],
    [t, [{ key: 'k', operator: 'Exists', effect: '' }], []],
    [
      t,
      [{ key: 'a b', tolerationSeconds: 0 }],
      [
        `${t}[0].key: Invalid value: "a b": ${namePart}`,
        `${t}[0].effect: Invalid value: "": effect must be 'NoExecute' when \`tolerationSeconds\` is set`,
      ],
    ],
    [
      t,
      [{ key: 'k', value: `${'x'.repeat(64)}!` }],
      [`${t}[0].operator: Invalid value: "${'x'.repeat(64)}!": must be no more than 63 bytes;${labelValue}`],
    ],
    [
      t,
      [
        { key: 'k', operator: 'Gt', value: '1' },
        { key: 'k', operator: 'Odd' },
      ],
      [
        `${t}[0].operator: Unsupported value: "Gt": supported values: "Equal", "Exists", "Lt", "Gt"`,
        `${t}[1].operator: Unsupported value: "Odd": supported values: "Equal", "Exists"`,
      ],
    ],
  ])('%s = %j', expectFaults);
});
