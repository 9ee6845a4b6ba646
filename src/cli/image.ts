import { imageDirectory } from '../cluster/cluster.ts';
import { openImages } from '../container-runtime/container-runtime.ts';
import { systemClock } from '../machinery/clock.ts';
import { systemRandom } from '../machinery/random.ts';
import { type ClusterOptions, directoryOf, print } from './options.ts';

const imagesOf = (options: ClusterOptions) =>
  openImages(imageDirectory({ dataDirectory: directoryOf(options).root }), {
    clock: systemClock,
    random: systemRandom,
  });

export async function load(file: string, options: ClusterOptions): Promise<void> {
  for (const image of await imagesOf(options).load(file)) print(`loaded ${image.repoTags.join(', ') || image.id}`);
}

export async function list(options: ClusterOptions & { output: 'text' | 'json' }): Promise<void> {
  const images = imagesOf(options).list();
  if (options.output === 'json') return print(JSON.stringify(images, null, 2));
  print(`${'NAME'.padEnd(50)} ${'ID'.padEnd(14)} SIZE`);
  for (const image of images)
    for (const name of image.repoTags.length > 0 ? image.repoTags : ['<none>'])
      print(
        `${name.padEnd(50)} ${image.id.replace('sha256:', '').slice(0, 12).padEnd(14)} ${Math.round(image.sizeBytes / 1e6)} MB`,
      );
}

export async function remove(reference: string, options: ClusterOptions): Promise<void> {
  await imagesOf(options).remove(reference);
  print(`removed ${reference}`);
}
