import { expect, test } from 'vitest';
import type { Pod, Volume, VolumeMount } from '../../api/api.ts';
import { isAccountMount } from './service-account.ts';

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const token = { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } };
const authority = { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } };
const namespace = {
  downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] },
};
const name = 'kube-api-access-x';
const projected = (...sources: object[]) => ({ name, projected: { sources } });
const ofAdmission = projected(token, authority, namespace);
const own = { secret: { name: 'mine', items: [{ key: 'token', path: 'token' }] } };

test.each<[string, boolean, object, Partial<VolumeMount>?]>([
  ['that of admission', true, ofAdmission],
  ['for another time', true, projected({ serviceAccountToken: { path: 'token' } }, authority, namespace)],
  ['a part of it', false, ofAdmission, { subPath: 'a' }],
  ['a part of it by a variable', false, ofAdmission, { subPathExpr: '$(A)' }],
  ['at another place', false, ofAdmission, { mountPath: '/account' }],
  ['a directory of the machine with the name of admission', false, { name, hostPath: { path: '/' } }],
  ['a secret', false, { name, secret: { secretName: 'mine' } }],
  ['a projected secret', false, projected(own)],
  ['with a secret beside the token', false, projected(token, authority, namespace, own)],
  ['without the token', false, projected(authority, namespace)],
  [
    'for another audience',
    false,
    projected({ serviceAccountToken: { path: 'token', audience: 'a' } }, authority, namespace),
  ],
  ['with another file for the token', false, projected({ serviceAccountToken: { path: 't' } }, authority, namespace)],
  ['with another authority', false, projected(token, { configMap: { name: 'mine' } }, namespace)],
  ['another volume', false, { name: 'other', projected: ofAdmission.projected }],
])('a volume of the account: %s (%s)', (_, isAccount, volume, mount) => {
  const pod = { spec: { volumes: [volume as Volume], containers: [] } } as unknown as Pod;
  expect(isAccountMount(pod, { name, mountPath, ...mount })).toBe(isAccount);
});
