import { expect, test } from 'vitest';
import { SimulatedImages } from './simulated-image.ts';

test('an image is found by its names and its id, until it is removed', () => {
  const images = new SimulatedImages();
  const { id } = images.pulled('docker.io/library/nginx:latest', 1);
  images.pulled('docker.io/library/other:latest', 1);
  for (const reference of ['nginx', 'docker.io/library/nginx:latest', id, id.replace('sha256:', '')])
    expect(images.find(reference)?.id, reference).toBe(id);
  images.remove(id);
  expect([images.find(id), images.find('nginx'), images.all().length]).toEqual([undefined, undefined, 1]);
});

test('one of thousands is found by its id without comparing all', () => {
  const images = new SimulatedImages();
  const ids = Array.from({ length: 20_000 }, (_, i) => images.pulled(`registry.test/image:${i}`, 1).id);
  const started = process.threadCpuUsage();
  for (const id of ids) expect(images.find(id)).toBeDefined();
  // Comparing all takes 4 s and more.
  expect(process.threadCpuUsage(started).user).toBeLessThan(1_000_000);
});
