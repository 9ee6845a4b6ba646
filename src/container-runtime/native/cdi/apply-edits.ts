// Applies the edits of the Container Device Interface to the config.json of an OCI runtime. Pure: the machine's device
// nodes are read by the caller.
// https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md#oci-edits

import { posix } from 'node:path';
import type { OciDevice, OciDeviceRule, OciHook, OciMount, OciSpec } from '../oci/oci-types.ts';
import type { CdiDeviceNode, CdiEdits, CdiHook } from './cdi-spec.ts';

/** A device node of the machine. Throws an Error if there is none. */
export type ReadDevice = (path: string) => Pick<OciDevice, 'type' | 'major' | 'minor' | 'fileMode'>;

export function applyEdits(spec: OciSpec, all: readonly CdiEdits[], readDevice: ReadDevice): OciSpec {
  return all.reduce((edited, edits) => applyOne(edited, edits, readDevice), spec);
}

function applyOne(spec: OciSpec, edits: CdiEdits, readDevice: ReadDevice): OciSpec {
  const { process, linux } = spec;
  const given = edits.deviceNodes.map((node) => deviceOf(node, process.user, readDevice));
  const paths = new Set(given.map(({ device }) => device.path));
  const { user } = process;
  return {
    ...spec,
    process: {
      ...process,
      env: withVariables(process.env, edits.env),
      user: { ...user, additionalGids: withGroups(user.additionalGids, edits.additionalGids) },
    },
    mounts: withMounts(spec.mounts, edits.mounts),
    ...(edits.hooks.length > 0 && { hooks: withHooks(spec.hooks, edits.hooks) }),
    linux: {
      ...linux,
      devices: [...linux.devices.filter(({ path }) => !paths.has(path)), ...given.map(({ device }) => device)],
      resources: {
        ...linux.resources,
        devices: [...linux.resources.devices, ...given.flatMap(({ rule }) => (rule ? [rule] : []))],
      },
      ...(edits.intelRdt && { intelRdt: edits.intelRdt }),
    },
  };
}

function deviceOf(
  node: CdiDeviceNode,
  user: OciSpec['process']['user'],
  readDevice: ReadDevice,
): { readonly device: OciDevice; readonly rule?: OciDeviceRule } {
  const path = posix.normalize(node.path);
  const found = completed(node, readDevice);
  const { fileMode = found.fileMode, uid = user.uid || undefined, gid = user.gid || undefined } = node;
  const device: OciDevice = {
    ...{ path, type: found.type, major: found.major, minor: found.minor },
    ...(fileMode !== undefined && { fileMode }),
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
  };
  if (device.type !== 'b' && device.type !== 'c') return { device };
  const { type, major, minor } = device;
  return { device, rule: { allow: true, type, major, minor, access: node.permissions ?? 'rwm' } };
}

/** The numbers that the file leaves out are the machine's. */
function completed(node: CdiDeviceNode, readDevice: ReadDevice): ReturnType<ReadDevice> {
  const { type, major = 0, minor = 0 } = node;
  if (type && (major !== 0 || type === 'p')) return { type, major, minor };
  const hostPath = node.hostPath ?? node.path;
  const found = readDevice(hostPath);
  if (type && type !== found.type)
    throw new Error(`CDI device ("${node.path}", "${hostPath}"), host type mismatch (${type}, ${found.type})`);
  return found;
}

function withVariables(env: readonly string[], added: readonly string[]): readonly string[] {
  const nameOf = (entry: string) => entry.slice(0, entry.indexOf('='));
  const variables = new Map(env.map((entry) => [nameOf(entry), entry]));
  for (const entry of added) variables.set(nameOf(entry), entry);
  return [...variables.values()];
}

/** Group 0 is left out, as in the reference implementation: files that leave the number unset have 0. */
const withGroups = (groups: readonly number[], added: readonly number[]): readonly number[] => [
  ...new Set([...groups, ...added.filter((group) => group !== 0)]),
];

const depthOf = ({ destination }: OciMount): number =>
  destination === '/' ? 0 : posix.normalize(destination).split('/').length;

/** Outer directories come first: a later outer mount would hide an inner one. */
function withMounts(mounts: readonly OciMount[], added: CdiEdits['mounts']): readonly OciMount[] {
  if (added.length === 0) return mounts;
  const own = added.map(
    ({ hostPath, containerPath, options, type = 'bind' }): OciMount => ({
      destination: containerPath,
      type,
      source: hostPath,
      options,
    }),
  );
  const replaced = new Set(own.map(({ destination }) => destination));
  const all = [...mounts.filter(({ destination }) => !replaced.has(destination)), ...own];
  return all.toSorted((a, b) => depthOf(a) - depthOf(b));
}

function withHooks(hooks: OciSpec['hooks'] = {}, added: readonly CdiHook[]): OciSpec['hooks'] {
  const all: Record<string, readonly OciHook[]> = { ...hooks };
  for (const { hookName, ...hook } of added) all[hookName] = [...(all[hookName] ?? []), hook];
  return all;
}
