import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { imageDirectory, type RuntimeRecord, readRuntimeRecord } from '../cluster/cluster.ts';
import {
  type ContainerRuntime,
  createCriRuntime,
  type Image,
  loadIntoCri,
  openImages,
} from '../container-runtime/container-runtime.ts';
import { must } from '../machinery/must.ts';
import { systemRandom } from '../machinery/random.ts';
import { systemClock } from '../machinery/time/clock.ts';
import { CliError, type ClusterOptions, directoryOf, print } from './options/options.ts';

const environment = { clock: systemClock, random: systemRandom };
const imagesOf = (options: ClusterOptions) =>
  openImages(imageDirectory({ dataDirectory: directoryOf(options).root }), environment);

export async function load(file: string, options: ClusterOptions): Promise<void> {
  const cri = await criOf(options);
  const names = cri
    ? await loadIntoCri(must(cri.endpoint, 'endpoint'), file)
    : (await imagesOf(options).load(file)).map((image) => image.repoTags.join(', ') || image.id);
  for (const name of names) print(`loaded ${name}`);
}

export async function list(options: ClusterOptions & { output: 'text' | 'json' }): Promise<void> {
  const cri = await criOf(options);
  const images = cri ? await withRuntime(cri, options, (runtime) => runtime.listImages()) : imagesOf(options).list();
  if (options.output === 'json') return print(JSON.stringify(images, null, 2));
  print(`${'NAME'.padEnd(50)} ${'ID'.padEnd(14)} SIZE`);
  for (const image of images)
    for (const name of image.repoTags.length > 0 ? image.repoTags : ['<none>'])
      print(
        `${name.padEnd(50)} ${image.id.replace('sha256:', '').slice(0, 12).padEnd(14)} ${Math.round(image.sizeBytes / 1e6)} MB`,
      );
}

export async function remove(reference: string, options: ClusterOptions): Promise<void> {
  const cri = await criOf(options);
  if (cri) await withRuntime(cri, options, (runtime) => removeFromCri(runtime, reference));
  else await imagesOf(options).remove(reference);
  print(`removed ${reference}`);
}

/** The CRI runtime of the cluster's nodes; undefined if they use the cluster's image store. */
async function criOf(options: ClusterOptions): Promise<RuntimeRecord | undefined> {
  const directory = directoryOf(options);
  const nodes = await readdir(path.join(directory.root, 'nodes')).catch(() => []);
  for (const name of nodes) {
    const record = await readRuntimeRecord(directory.node(name));
    if (record?.runtime === 'cri') return record;
  }
  return undefined;
}

async function withRuntime<T>(
  { endpoint, owner }: RuntimeRecord,
  options: ClusterOptions,
  use: (runtime: ContainerRuntime) => Promise<T>,
): Promise<T> {
  const directory = imageDirectory({ dataDirectory: directoryOf(options).root });
  const runtime = await createCriRuntime({
    endpoint: must(endpoint, 'endpoint'),
    owner: must(owner, 'owner'),
    imageDirectory: directory,
    ...environment,
  });
  return use(runtime).finally(() => runtime.close());
}

async function removeFromCri(runtime: ContainerRuntime, reference: string): Promise<void> {
  const names = (image: Image) => [image.id, ...image.repoTags, ...image.repoDigests];
  const found = (await runtime.listImages()).some((image) =>
    names(image).some((name) => name === reference || name.replace(/:latest$/, '') === reference),
  );
  if (!found) throw new CliError(`no such image: ${reference}`);
  await runtime.removeImage(reference);
}
