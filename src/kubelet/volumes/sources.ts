// The contents of configMap, secret, downwardAPI and projected volumes.
// https://kubernetes.io/docs/concepts/storage/projected-volumes/

import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { DownwardAPIVolumeFile, KeyToPath, Pod, Volume } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import { ConfigError, fieldValue, resourceValue } from '../containers/environment.ts';
import { type File, writeAtomically } from './atomic-files.ts';
import { type VolumeContext, VolumeError, type VolumePlugin } from './volume.ts';

const defaultMode = 0o644;

type Source = NonNullable<NonNullable<Volume['projected']>['sources']>[number];

/** configMap, secret and downwardAPI volumes are a projected volume of one source. */
export const configMap: VolumePlugin = {
  source: 'configMap',
  readOnly: true,
  setUp(volume, context) {
    const source = must(volume.configMap, 'configMap');
    return project([{ configMap: source }], source.defaultMode, context, onDisk);
  },
};

export const secret: VolumePlugin = {
  source: 'secret',
  readOnly: true,
  inMemory: true,
  setUp(volume, context) {
    const { secretName, items, optional, defaultMode } = must(volume.secret, 'secret');
    return project([{ secret: { name: secretName, items, optional } as Source['secret'] }], defaultMode, context);
  },
};

export const downwardAPI: VolumePlugin = {
  source: 'downwardAPI',
  readOnly: true,
  inMemory: true,
  setUp(volume, context) {
    const source = must(volume.downwardAPI, 'downwardAPI');
    return project([{ downwardAPI: source }], source.defaultMode, context);
  },
};

export const projected: VolumePlugin = {
  source: 'projected',
  readOnly: true,
  inMemory: true,
  setUp(volume, context) {
    const { sources = [], defaultMode } = must(volume.projected, 'projected');
    return project(sources, defaultMode, context);
  },
};

/** Modes of a volume's directory: as of an emptyDir on disk, and as of a tmpfs. */
const onDisk = 0o777;
const onTmpfs = 0o1777;

async function project(
  sources: readonly Source[],
  fileMode: number | undefined,
  context: VolumeContext,
  mode = onTmpfs,
): Promise<string> {
  const files = new Map<string, File>();
  for (const source of sources)
    for (const [name, file] of await filesOf(source, fileMode ?? defaultMode, context)) files.set(name, file);
  const group = context.pod.spec.securityContext?.fsGroup;
  await writeAtomically(context.directory, files, { mode, group });
  for (const inner of nestedMounts(context.pod, context.volumeName))
    await mkdir(path.join(context.directory, inner), { recursive: true, mode: 0o755 });
  return context.directory;
}

/** The mount points of other volumes inside this one: the runtime cannot make directories in a read-only volume. */
function nestedMounts({ spec }: Pod, volumeName: string): string[] {
  const nested = [...spec.containers, ...(spec.initContainers ?? [])].flatMap(({ volumeMounts = [] }) => {
    const places = volumeMounts.map((mount) => path.posix.join('/', mount.mountPath, '/'));
    return volumeMounts.flatMap((mount, i) =>
      mount.name !== volumeName || mount.subPath || mount.subPathExpr
        ? []
        : places
            .filter((at) => at !== places[i] && at.startsWith(places[i]))
            .map((at) => at.slice(places[i].length, -1)),
    );
  });
  // A mount inside another one belongs to that one.
  return [...new Set(nested)].filter((at) => !nested.some((outer) => at.startsWith(`${outer}/`)));
}

/** The single user of all containers of a pod, if the pod specifies it. */
function onlyUser({ spec }: Pod): number | undefined {
  const users = [...spec.containers, ...(spec.initContainers ?? [])].map(
    (c) => c.securityContext?.runAsUser ?? spec.securityContext?.runAsUser,
  );
  return users.every((user) => user === users[0]) ? users[0] : undefined;
}

/** Counted when it is made: thousands of them would fill the memory before they are written. */
function counted(file: File, { countFile }: VolumeContext): File {
  countFile(file.content.length);
  return file;
}

async function filesOf(source: Source, mode: number, context: VolumeContext): Promise<[string, File][]> {
  if (source.configMap) {
    const { name = '', items, optional } = source.configMap;
    const found = await context.configMap(name);
    if (!found && !optional) throw new VolumeError(`configmap "${name}" not found`);
    const data = new Map<string, Buffer>();
    for (const [key, value] of Object.entries(found?.data ?? {})) data.set(key, Buffer.from(value));
    for (const [key, value] of Object.entries(found?.binaryData ?? {})) data.set(key, Buffer.from(value, 'base64'));
    return pick(data, items, mode, { optional, kind: 'configmap' }, context);
  }
  if (source.secret) {
    const { name = '', items, optional } = source.secret;
    const found = await context.secret(name);
    if (!found && !optional) throw new VolumeError(`secret "${name}" not found`);
    const data = new Map(Object.entries(found?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')]));
    return pick(data, items, mode, { optional, kind: 'secret' }, context);
  }
  if (source.downwardAPI)
    return (source.downwardAPI.items ?? []).map((item) => [item.path, downward(item, mode, context)]);
  if (source.serviceAccountToken) {
    const { audience, expirationSeconds = 3600, path: name } = source.serviceAccountToken;
    const token = await context.serviceAccountToken(audience, expirationSeconds);
    // A token is readable by its user only, if the user is known; with fsGroup, also by the group (KEP-2451).
    const owner = onlyUser(context.pod);
    const isPrivate = owner !== undefined || context.pod.spec.securityContext?.fsGroup !== undefined;
    return [
      [
        name,
        counted({ content: Buffer.from(token), mode: isPrivate ? 0o600 : mode, ...(owner && { owner }) }, context),
      ],
    ];
  }
  throw new VolumeError(`projected source ${Object.keys(source).join(', ')} is not supported`);
}

function pick(
  data: Map<string, Buffer>,
  items: readonly KeyToPath[] | undefined,
  mode: number,
  { optional, kind }: { readonly optional: boolean | undefined; readonly kind: 'configmap' | 'secret' },
  context: VolumeContext,
): [string, File][] {
  if (!items) return [...data].map(([key, content]) => [key, counted({ content, mode }, context)]);
  return items.flatMap((item): [string, File][] => {
    const content = data.get(item.key);
    if (content) return [[item.path, counted({ content, mode: item.mode ?? mode }, context)]];
    if (optional) return [];
    throw new VolumeError(
      kind === 'secret'
        ? `references non-existent secret key: ${item.key}`
        : `configmap references non-existent config key: ${item.key}`,
    );
  });
}

function downward(item: DownwardAPIVolumeFile, mode: number, context: VolumeContext): File {
  try {
    const text = item.fieldRef
      ? fieldValue(context.pod, item.fieldRef.fieldPath, context.fields)
      : resource(item, context);
    return counted({ content: Buffer.from(text), mode: item.mode ?? mode }, context);
  } catch (error) {
    if (error instanceof ConfigError) throw new VolumeError(error.message);
    throw error;
  }
}

function resource(item: DownwardAPIVolumeFile, context: VolumeContext): string {
  const { containerName, resource: name, divisor } = must(item.resourceFieldRef, 'resourceFieldRef');
  const container = [...context.pod.spec.containers, ...(context.pod.spec.initContainers ?? [])].find(
    (c) => c.name === containerName,
  );
  if (!container) throw new VolumeError(`container ${containerName} not found`);
  return resourceValue(container, name, divisor, context.fields);
}
