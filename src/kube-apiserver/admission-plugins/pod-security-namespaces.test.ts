// Cases of TestValidateNamespace, staging/src/k8s.io/pod-security-admission/admission/admission_test.go.

import { describe, expect, test } from 'vitest';
import { builtinKinds, type Namespace, type Pod } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { AdmissionAttributes } from '../admission.ts';
import { podSecurity } from './pod-security.ts';
import { parsePodSecurity } from './pod-security-policy.ts';

type Labels = Readonly<Record<string, string>>;
interface Given {
  readonly old?: Labels;
  readonly defaults?: object;
  readonly exemptions?: object;
  readonly pods?: readonly object[];
}

const kind = builtinKinds().find(({ resource, group }) => resource === 'namespaces' && group === '');
const labelled = (labels: Labels): Namespace => {
  const named = Object.entries(labels).map(([mode, value]) => [`pod-security.kubernetes.io/${mode}`, value]);
  return { metadata: { name: 'test', labels: Object.fromEntries(named) } } as unknown as Namespace;
};
const pod = (name: string, spec: object = {}) =>
  ({ metadata: { name, namespace: 'test' }, spec: { containers: [], ...spec } }) as unknown as Pod;
const hostNetwork = { hostNetwork: true };

/** The warnings, and whether pods were listed. Rejects with the refusal. */
async function judge(labels: Labels, { old, defaults = {}, exemptions = {}, pods = [] }: Given) {
  const warnings: string[] = [];
  let isListed = false;
  const client = {
    list: async () => {
      isListed = true;
      return { items: pods, metadata: {} };
    },
  };
  const configuration = parsePodSecurity(
    JSON.stringify({
      ...{ apiVersion: 'pod-security.admission.config.k8s.io/v1', kind: 'PodSecurityConfiguration' },
      ...{ defaults, exemptions },
    }),
  );
  const attributes = {
    ...{ kind, operation: old ? 'UPDATE' : 'CREATE', subresource: '', name: 'test', namespace: 'test' },
    ...{ object: labelled(labels), oldObject: old && labelled(old), user: { name: 'admin', groups: [] } },
    server: { metrics: new Metrics(), clock: new VirtualClock() },
    warn: (text: string) => void warnings.push(text),
    annotate: () => {},
  };
  const plugin = podSecurity(() => client as unknown as Client, configuration);
  await plugin.validate?.(attributes as unknown as AdmissionAttributes);
  return { warnings, isListed };
}

const exempt = { exemptions: { namespaces: ['test'] } };

describe('pods are not listed', () => {
  test.each<[string, Labels, Given]>([
    ['of a new privileged one', { enforce: 'privileged', 'enforce-version': 'v1.0' }, {}],
    ['of a new restricted one', { enforce: 'restricted' }, {}],
    ['without a change', { enforce: 'restricted' }, { old: { enforce: 'restricted' } }],
    ['without a change of an invalid level', { enforce: 'unknown' }, { old: { enforce: 'unknown' } }],
    ['for a lower level of the same version', { enforce: 'baseline' }, { old: { enforce: 'restricted' } }],
    [
      'for the privileged level',
      { enforce: 'privileged' },
      { old: { enforce: 'restricted', 'enforce-version': 'v1.0' } },
    ],
    ['without a label', {}, { old: { enforce: 'restricted', 'enforce-version': 'v1.0' } }],
  ])('%s', async (_, labels, given) =>
    expect(await judge(labels, { ...given, pods: [pod('a', hostNetwork)] })).toEqual({ warnings: [], isListed: false }),
  );
});

describe('labels are refused', () => {
  test.each<[string, Labels, Given, string]>([
    ['with an invalid level', { enforce: 'unknown' }, {}, 'must be one of privileged, baseline, restricted'],
    [
      'with an invalid version',
      { enforce: 'privileged', 'enforce-version': 'unknown' },
      {},
      'must be "latest" or "v1.x"',
    ],
    [
      'with an invalid level in place of a valid one',
      { enforce: 'unknown' },
      { old: { enforce: 'restricted', 'enforce-version': 'v1.0' } },
      'must be one of privileged, baseline, restricted',
    ],
  ])('%s', async (_, labels, given, message) => await expect(judge(labels, given)).rejects.toThrow(message));
});

describe('an exempt namespace', () => {
  const text = (policy: string) =>
    `namespace "test" is exempt from Pod Security, and the policy (${policy}) will be ignored`;
  test.each<[string, Labels, Given, string[]]>([
    ['made restricted', { enforce: 'restricted' }, exempt, [text('enforce=restricted:latest')]],
    [
      'changed to restricted',
      { enforce: 'restricted', 'enforce-version': 'v1.0', audit: 'restricted', warn: 'baseline' },
      { ...exempt, old: {} },
      [text('enforce=restricted:v1.0, audit=restricted:latest, warn=baseline:latest')],
    ],
    ['made privileged', { enforce: 'privileged' }, exempt, []],
    ['made without labels', {}, { ...exempt, defaults: { enforce: 'restricted' } }, []],
  ])('%s', async (_, labels, given, warnings) =>
    expect(await judge(labels, given)).toEqual({ warnings, isListed: false }),
  );
});

describe('existing pods', () => {
  const raised = { old: { enforce: 'privileged' } };
  const head = 'existing pods in namespace "test" violate the new PodSecurity enforce level "baseline:latest"';
  test.each<[string, Labels, Given, string[]]>([
    ['that comply', { enforce: 'baseline' }, { ...raised, pods: [pod('a')] }, []],
    [
      'that violate the new level',
      { enforce: 'baseline' },
      { ...raised, pods: [pod('a', hostNetwork), pod('b')] },
      [head, 'a: host namespaces'],
    ],
    [
      'with the same violation are counted',
      { enforce: 'baseline' },
      { ...raised, pods: ['a', 'b', 'c'].map((name) => pod(name, hostNetwork)) },
      [head, 'a (and 2 other pods): host namespaces'],
    ],
    [
      'of an exempt runtime class are skipped',
      { enforce: 'baseline' },
      {
        ...raised,
        exemptions: { runtimeClasses: ['vm'] },
        pods: [pod('a', { ...hostNetwork, runtimeClassName: 'vm' }), pod('b', hostNetwork)],
      },
      [head, 'b: host namespaces'],
    ],
    [
      'violate the default level',
      {},
      { old: { enforce: 'privileged' }, defaults: { enforce: 'baseline' }, pods: [pod('a', hostNetwork)] },
      [head, 'a: host namespaces'],
    ],
  ])('%s', async (_, labels, given, warnings) =>
    expect(await judge(labels, given)).toEqual({ warnings, isListed: true }),
  );
});
