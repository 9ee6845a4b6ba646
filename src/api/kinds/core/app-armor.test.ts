import { expect, test } from 'vitest';
import { appArmorWarnings, copyAppArmor } from './app-armor.ts';

const key = 'container.apparmor.security.beta.kubernetes.io/c';
const warning = `metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`;
const unconfined = { type: 'Unconfined' };

test.each<[string, string | undefined, object, object | undefined, string[]]>([
  ['no annotation', undefined, {}, undefined, []],
  ['unconfined', 'unconfined', {}, unconfined, [warning]],
  ['the default', 'runtime/default', {}, { type: 'RuntimeDefault' }, [warning]],
  ['a profile', 'localhost/p', {}, { type: 'Localhost', localhostProfile: 'p' }, [warning]],
  ['no profile', 'localhost/', {}, undefined, [warning]],
  ['another text', 'x', {}, undefined, [warning]],
  ['the profile of the pod', 'unconfined', { securityContext: { appArmorProfile: unconfined } }, undefined, []],
  ['Windows', 'unconfined', { os: { name: 'windows' } }, undefined, []],
])('%s', (_, annotation, spec, profile, warnings) => {
  const pod: any = {
    metadata: { annotations: annotation === undefined ? {} : { [key]: annotation } },
    spec: { containers: [{ name: 'c' }], ...spec },
  };
  copyAppArmor(pod);
  expect(pod.spec.containers[0].securityContext?.appArmorProfile).toEqual(profile);
  expect(appArmorWarnings(pod)).toEqual(warnings);
});

test('a field of the container counts more than its annotation', () => {
  const securityContext = { appArmorProfile: { type: 'RuntimeDefault' } };
  const pod: any = {
    metadata: { annotations: { [key]: 'unconfined' } },
    spec: { containers: [{ name: 'c', securityContext }] },
  };
  copyAppArmor(pod);
  expect(pod.spec.containers[0].securityContext).toEqual(securityContext);
  expect(appArmorWarnings(pod)).toEqual([]);
});
