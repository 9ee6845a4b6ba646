import { describe, expect, test } from 'vitest';
import { faultFinder } from '../../kinds/test-faults.ts';

const find = faultFinder('v1/pods', { metadata: { name: 'x' }, spec: { containers: [{ name: 'c', image: 'i' }] } });
const path = 'metadata.annotations';
const faults = (annotations: Record<string, string>) => find.onCreate(path, annotations);
const tolerations = 'scheduler.alpha.kubernetes.io/tolerations';
const seccomp = 'seccomp.security.alpha.kubernetes.io/pod';
const ofContainer = 'container.seccomp.security.alpha.kubernetes.io/c';
const cost = 'controller.kubernetes.io/pod-deletion-cost';

describe('annotations of a pod', () => {
  test.each([
    [{ [seccomp]: 'runtime/default' }],
    [{ [seccomp]: 'docker/default' }],
    [{ [seccomp]: 'unconfined' }],
    [{ [seccomp]: 'localhost/foo' }],
    [{ [ofContainer]: 'localhost/sub/foo' }],
    [{ [tolerations]: '[{"key": "foo", "operator": "Exists"}]' }],
    [{ [cost]: '0' }],
    [{ [cost]: '-2147483648' }],
    [{ [cost]: '2147483647' }],
    [{ 'other/key': 'text' }],
  ])('%j', (annotations) => expect(faults(annotations)).toEqual([]));

  test.each([
    [{ [seccomp]: 'foo' }, `${path}.${seccomp}: Invalid value: "foo": must be a valid seccomp profile`],
    [{ [ofContainer]: 'foo' }, `${path}.${ofContainer}: Invalid value: "foo": must be a valid seccomp profile`],
    [{ [seccomp]: 'localhost//foo' }, `${path}.${seccomp}: Invalid value: "/foo": must be a relative path`],
    [{ [seccomp]: 'localhost/../foo' }, `${path}.${seccomp}: Invalid value: "../foo": must not contain '..'`],
    [
      { [tolerations]: '[{"key": "foo", "operator": "Exists", "value": "bar"}]' },
      `${path}.${tolerations}[0].operator: Invalid value: "bar": value must be empty when \`operator\` is 'Exists'`,
    ],
    [{ [tolerations]: '{' }, `${path}: Invalid value: "${tolerations}": couldn't get version/kind; json parse error`],
    [{ [cost]: '+1' }, `${path}[${cost}]: Invalid value: "+1": must be a 32bit integer`],
    [{ [cost]: '01' }, `${path}[${cost}]: Invalid value: "01": must be a 32bit integer`],
    [{ [cost]: '2147483648' }, `${path}[${cost}]: Invalid value: "2147483648": must be a 32bit integer`],
  ])('%j is refused', (annotations, fault) => expect(faults(annotations)).toEqual([fault]));
});
