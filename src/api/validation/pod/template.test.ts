import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../../kinds/test-faults.ts';

const spec = { containers: [{ name: 'c', image: 'i' }] };
const noClaims = (path: string) =>
  `${path}.spec.resources.claims: Forbidden: claims may not be set for Resources at pod-level`;

describe('templates', () => {
  const find = faultFinder('v1/podtemplates', { metadata: { name: 'x' }, template: { spec } });
  const unfit = 'template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template';
  test.each<FaultRow>([
    ['template', undefined, ['template.spec.containers: Required value']],
    ['template.spec.resources', { claims: [] }, [noClaims('template')]],
    [
      'template.spec.ephemeralContainers',
      [{ name: 'e', image: 'i', ports: [] }],
      ['template.spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container', unfit],
    ],
    // Only pods are held to spaces around an image, and to the accounts of tokens.
    ['template.spec.containers[0].image', ' i', []],
    ['template.spec.volumes', [{ name: 'v', image: {} }], []],
    ['template.spec.volumes', [{ name: 'v', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }], []],
    [
      'template.spec',
      { ...spec, hostNetwork: true, containers: [{ ...spec.containers[0], ports: [{ containerPort: 1 }] }] },
      [],
    ],
    ['template.spec', { ...spec, nodeName: 'n', schedulingGates: [{ name: 'g' }] }, []],
    [
      'template.metadata',
      { labels: { 'a b': '' } },
      [
        "template.labels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
  ])('%s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('replication controllers', () => {
  const template = { metadata: { labels: { a: 'b' } }, spec };
  const find = faultFinder('v1/replicationcontrollers', { metadata: { name: 'x' }, spec: { template } });
  test.each<FaultRow>([
    ['spec.template', undefined, ['spec.selector: Required value', 'spec.template: Required value']],
    ['spec.selector', {}, []],
    ['spec.replicas', -1, ['spec.replicas: Invalid value: -1: must be greater than or equal to 0']],
    ['spec.minReadySeconds', -1, ['spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0']],
    [
      'spec',
      { selector: { c: 'd' }, template: { metadata: { labels: {} }, spec } },
      ['spec.template.metadata.labels: Invalid value: {}: `selector` does not match template `labels`'],
    ],
    [
      'spec',
      { selector: { c: 'd' }, template: { spec } },
      ['spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`'],
    ],
    ['spec.template.spec.resources', { claims: [] }, [noClaims('spec.template')]],
    [
      'spec.template.spec',
      { ...spec, restartPolicy: 'Never', activeDeadlineSeconds: 1 },
      [
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
        'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicationController is not Supported',
      ],
    ],
  ])('%s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

test.each<[profile: object | undefined, annotation: string, isWarned: boolean]>([
  [undefined, 'unconfined', true],
  [{ type: 'Unconfined' }, 'unconfined', false],
  [{ type: 'RuntimeDefault' }, 'unconfined', true],
  [{ type: 'Localhost', localhostProfile: 'p' }, 'localhost/p', false],
])('an AppArmor annotation beside the profile %j of the pod', (appArmorProfile, annotation, isWarned) => {
  const key = 'container.apparmor.security.beta.kubernetes.io/c';
  const find = faultFinder('v1/podtemplates', {
    metadata: { name: 'x' },
    template: { metadata: { annotations: { [key]: annotation } }, spec },
  });
  const warning = `template.metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`;
  expect(find.onWarn('template.spec.securityContext', { appArmorProfile })).toEqual(isWarned ? [warning] : []);
});
