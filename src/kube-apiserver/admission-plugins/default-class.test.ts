import { beforeEach, describe, expect, test } from 'vitest';
import { admissionServer, ns } from './test-admission.ts';

const { call, start } = admissionServer();
beforeEach(() => start());

describe('default classes', () => {
  test('a claim gets the newest default storage class, and keeps its own', async () => {
    const marks = { 'storageclass.kubernetes.io/is-default-class': 'true' };
    await call('POST', '/apis/storage.k8s.io/v1/storageclasses', {
      metadata: { name: 'fast', annotations: marks },
      provisioner: 'x.test/p',
    });
    const claim = (name: string, spec: object = {}) =>
      call('POST', `${ns}/persistentvolumeclaims`, {
        metadata: { name },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
      });
    expect((await claim('a')).body.spec.storageClassName).toBe('fast');
    expect((await claim('b', { storageClassName: '' })).body.spec.storageClassName).toBe('');
  });

  test('an ingress gets the default ingress class', async () => {
    await call('POST', '/apis/networking.k8s.io/v1/ingressclasses', {
      metadata: { name: 'web', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
      spec: { controller: 'x.test/c' },
    });
    const { body } = await call('POST', '/apis/networking.k8s.io/v1/namespaces/default/ingresses', {
      metadata: { name: 'i' },
      spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } },
    });
    expect(body.spec.ingressClassName).toBe('web');
  });

  test.each([
    [['old', 'new'], 10, 'new'],
    [['b', 'a'], 0, 'a'],
  ])(
    'of the default ingress classes %j, made %i s apart, the newest is taken, then the first by name',
    async (names, seconds, chosen) => {
      const clock = await start();
      for (const name of names) {
        await call('POST', '/apis/networking.k8s.io/v1/ingressclasses', {
          metadata: { name, annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
          spec: { controller: 'x.test/c' },
        });
        await clock.advance(seconds * 1_000);
      }
      const ingress = (name: string, more: object = {}) =>
        call('POST', '/apis/networking.k8s.io/v1/namespaces/default/ingresses', {
          metadata: { name, ...more },
          spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } },
        });
      expect((await ingress('i')).body.spec.ingressClassName).toBe(chosen);
      const annotated = await ingress('j', { annotations: { 'kubernetes.io/ingress.class': 'own' } });
      expect(annotated.body.spec.ingressClassName).toBeUndefined();
    },
  );
});
