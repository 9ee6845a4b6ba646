import { describe, expect, test } from 'vitest';
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/api.ts';
import { FreeVolumes } from './free-volumes.ts';

const volume = (name: string, storage = '1Gi', spec: object = {}, phase = 'Available') =>
  ({
    metadata: { name },
    spec: { capacity: { storage }, accessModes: ['ReadWriteOnce'], storageClassName: 'a', ...spec },
    status: { phase },
  }) as unknown as PersistentVolume;
const claim = (storage = '1Gi', spec: object = {}) =>
  ({
    metadata: { name: 'c', namespace: 'x', uid: 'c' },
    spec: { resources: { requests: { storage } }, accessModes: ['ReadWriteOnce'], storageClassName: 'a', ...spec },
  }) as unknown as PersistentVolumeClaim;
const both = { accessModes: ['ReadWriteOnce', 'ReadOnlyMany'] };
const free = (...volumes: readonly PersistentVolume[]) => {
  const found = new FreeVolumes();
  for (const each of volumes) found.note(each, undefined);
  return found;
};

describe('the best free volume', () => {
  test.each([
    { is: 'the smallest that suffices', of: [volume('l', '10Gi'), volume('m', '2G'), volume('s', '500Mi')], best: 'm' },
    { is: 'one with few access modes', of: [volume('two', '1Gi', both), volume('one', '9Gi')], best: 'one' },
    { is: 'one of its class', of: [volume('b', '1Gi', { storageClassName: 'b' })], best: undefined },
    { is: 'Available', of: [volume('r', '1Gi', {}, 'Released')], best: undefined },
    { is: 'not reserved', of: [volume('r', '1Gi', { claimRef: { name: 'd', namespace: 'x' } })], best: undefined },
    { is: 'of its mode', of: [volume('block', '1Gi', { volumeMode: 'Block' }), volume('z', '2Gi')], best: 'z' },
  ])('is $is', ({ of, best }) => expect(free(...of).best(claim(), () => false)?.metadata.name).toBe(best));

  test('has all wanted access modes', () => {
    const volumes = free(volume('one'), volume('two', '1Gi', both));
    expect(volumes.best(claim('1Gi', both), () => false)?.metadata.name).toBe('two');
  });

  test('is not taken, and follows changes', () => {
    const volumes = free(volume('a'), volume('b'));
    expect(volumes.best(claim(), (name) => name === 'a')?.metadata.name).toBe('b');
    volumes.note(volume('a', '5Gi'), volume('a'));
    expect(volumes.best(claim('2Gi'), () => false)?.metadata.name).toBe('a');
    volumes.note(undefined, volume('a', '5Gi'));
    expect(volumes.best(claim('2Gi'), () => false)).toBeUndefined();
  });
});

test('30,000 claims find 30,000 volumes without looking at all of them', () => {
  const many = Array.from({ length: 30_000 }, (_, i) => volume(`v${i}`, `${1 + (i % 100)}Gi`));
  const volumes = free(...many);
  let looked = 0;
  for (const each of many) {
    const found = volumes.best(claim(String(each.spec?.capacity?.['storage'])), () => ++looked === 0)!;
    volumes.note(undefined, found);
  }
  expect(looked).toBe(30_000);
  expect(volumes.best(claim(), () => false)).toBeUndefined();
});
