import { beforeEach, describe, expect, test } from 'vitest';
import { admissionServer, ns } from './test-admission.ts';

const { call, merge, start } = admissionServer();
beforeEach(() => start());

describe('PersistentVolumeClaimResize', () => {
  const claim = async (storageClassName: string | undefined, phase: string) => {
    await call('POST', '/apis/storage.k8s.io/v1/storageclasses', {
      metadata: { name: 'grows' },
      provisioner: 'p.test/p',
      allowVolumeExpansion: true,
    });
    await call('POST', '/apis/storage.k8s.io/v1/storageclasses', {
      metadata: { name: 'fixed' },
      provisioner: 'p.test/p',
    });
    await call('POST', `${ns}/persistentvolumeclaims`, {
      metadata: { name: 'c' },
      spec: { accessModes: ['ReadWriteOnce'], storageClassName, resources: { requests: { storage: '1Gi' } } },
    });
    await merge(`${ns}/persistentvolumeclaims/c/status`, { status: { phase, capacity: { storage: '1Gi' } } });
  };
  const resize = (storage: string) =>
    merge(`${ns}/persistentvolumeclaims/c`, { spec: { resources: { requests: { storage } } } });

  test.each([
    ['a class that allows it', 'grows', 'Bound', '2Gi', undefined],
    [
      'a class that does not',
      'fixed',
      'Bound',
      '2Gi',
      'persistentvolumeclaims "c" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
    ],
    [
      'no class',
      '',
      'Bound',
      '2Gi',
      'persistentvolumeclaims "c" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
    ],
  ])('%s', async (_, storageClassName, phase, size, message) => {
    await claim(storageClassName, phase);
    expect((await resize(size)).body.message).toBe(message);
  });
});
