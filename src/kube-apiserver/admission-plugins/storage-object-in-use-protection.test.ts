import { beforeEach, expect, test } from 'vitest';
import { admissionServer, ns } from './test-admission.ts';

const { call, start } = admissionServer();
beforeEach(() => start());

const claim = { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } };
const volume = {
  spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/tmp' } },
};

test.each([
  ['a claim', `${ns}/persistentvolumeclaims`, claim, {}, ['kubernetes.io/pvc-protection']],
  [
    'a class of attributes',
    '/apis/storage.k8s.io/v1/volumeattributesclasses',
    { driverName: 'd.test', parameters: { a: 'b' } },
    {},
    ['kubernetes.io/vac-protection'],
  ],
  ['a volume', '/api/v1/persistentvolumes', volume, {}, ['kubernetes.io/pv-protection']],
  [
    'a class of attributes',
    '/apis/storage.k8s.io/v1/volumeattributesclasses',
    { driverName: 'd', parameters: { a: 'b' } },
    {},
    ['kubernetes.io/vac-protection'],
  ],
  [
    'a claim with another finalizer',
    `${ns}/persistentvolumeclaims`,
    claim,
    { finalizers: ['a.test/b'] },
    ['a.test/b', 'kubernetes.io/pvc-protection'],
  ],
  [
    'a claim that has it',
    `${ns}/persistentvolumeclaims`,
    claim,
    { finalizers: ['kubernetes.io/pvc-protection'] },
    ['kubernetes.io/pvc-protection'],
  ],
  ['another object', `${ns}/configmaps`, {}, {}, undefined],
])('%s', async (_, path, object, metadata, finalizers) => {
  const { code, body } = await call('POST', path, { metadata: { name: 'x', ...metadata }, ...object });
  expect([code, body.metadata.finalizers]).toEqual([201, finalizers]);
});
