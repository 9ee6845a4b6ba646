// One file of the Container Device Interface: its shape, checked. Pure.
// https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md

import { type Fields, fieldsIn, isFields, isList } from '../../../machinery/parsed.ts';

export interface CdiDeviceNode {
  readonly path: string;
  /** `path` by default. */
  readonly hostPath?: string;
  readonly type?: 'b' | 'c' | 'u' | 'p';
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  /** Of r, w and m; all by default. */
  readonly permissions?: string;
  readonly uid?: number;
  readonly gid?: number;
}

export interface CdiHook {
  readonly hookName: string;
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  readonly timeout?: number;
}

export interface CdiEdits {
  /** NAME=value */
  readonly env: readonly string[];
  readonly deviceNodes: readonly CdiDeviceNode[];
  readonly mounts: readonly {
    readonly hostPath: string;
    readonly containerPath: string;
    readonly options: readonly string[];
    readonly type?: string;
  }[];
  readonly hooks: readonly CdiHook[];
  readonly additionalGids: readonly number[];
  readonly intelRdt?: Fields;
}

export interface CdiSpec {
  /** vendor/class */
  readonly kind: string;
  readonly edits: CdiEdits;
  readonly devices: ReadonlyMap<string, CdiEdits>;
}

const versions = new Set(['0.1.0', '0.2.0', '0.3.0', '0.4.0', '0.5.0', '0.6.0', '0.7.0', '0.8.0', '1.0.0', '1.1.0']);
const kindPattern = /^[A-Za-z]([\w.-]*[A-Za-z0-9])?\/[A-Za-z]([\w.-]*[A-Za-z0-9])?$/;
const devicePattern = /^[A-Za-z0-9]([\w.:-]*[A-Za-z0-9])?$/;
const hookNames = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'];

const fail = (why: string): never => {
  throw new Error(why);
};

/** Throws an Error with the fault. */
export function cdiSpec(content: unknown): CdiSpec {
  if (!isFields(content)) return fail('the content is not an object');
  refuseOthers(content, ['cdiVersion', 'kind', 'annotations', 'devices', 'containerEdits'], 'specification');
  const kind = textOf(content, 'kind');
  if (!versions.has(textOf(content, 'cdiVersion'))) fail(`invalid version ${JSON.stringify(content['cdiVersion'])}`);
  if (!kindPattern.test(kind)) fail(`invalid kind ${JSON.stringify(kind)}`);
  const devices = new Map<string, CdiEdits>();
  for (const device of listOf(content, 'devices')) {
    const fields = objectOf(device, 'device');
    refuseOthers(fields, ['name', 'annotations', 'containerEdits'], 'device');
    const name = textOf(fields, 'name');
    if (!devicePattern.test(name)) fail(`invalid name of a device ${JSON.stringify(name)}`);
    if (devices.has(name)) fail(`invalid spec, multiple device ${JSON.stringify(name)}`);
    devices.set(name, editsOf(fields['containerEdits'], `device ${name}`));
  }
  if (devices.size === 0) fail('invalid spec, no devices');
  return { kind, edits: editsOf(content['containerEdits'], 'specification'), devices };
}

const editFields = ['env', 'deviceNodes', 'mounts', 'hooks', 'additionalGids', 'additionalGIDs', 'intelRdt'];

function editsOf(value: unknown, of: string): CdiEdits {
  const fields = value === undefined || value === null ? {} : objectOf(value, `containerEdits of the ${of}`);
  refuseOthers(fields, editFields, `containerEdits of the ${of}`);
  const env = textsOf(fields, 'env') ?? [];
  for (const entry of env) if (!/^[^=]+=/.test(entry)) fail(`invalid environment variable ${JSON.stringify(entry)}`);
  const groups = [...listOf(fields, 'additionalGids'), ...listOf(fields, 'additionalGIDs')];
  return {
    env,
    deviceNodes: listOf(fields, 'deviceNodes').map(deviceNodeOf),
    mounts: listOf(fields, 'mounts').map(mountOf),
    hooks: listOf(fields, 'hooks').map(hookOf),
    additionalGids: groups.map((group) => numberIn(group, 'additionalGids')),
    ...(isFields(fields['intelRdt']) && { intelRdt: fields['intelRdt'] }),
  };
}

function deviceNodeOf(value: unknown): CdiDeviceNode {
  const fields = objectOf(value, 'deviceNodes');
  const path = textOf(fields, 'path');
  const type = optional(fields, 'type', textIn);
  const permissions = optional(fields, 'permissions', textIn);
  const hostPath = optional(fields, 'hostPath', textIn);
  if (!path) fail('invalid (empty) device path');
  if (type && !isType(type)) fail(`device ${JSON.stringify(path)}: invalid type ${JSON.stringify(type)}`);
  if (permissions && !/^[rwm]+$/.test(permissions))
    fail(`device ${JSON.stringify(path)}: invalid permissions ${JSON.stringify(permissions)}`);
  const numbers: Record<string, number> = {};
  for (const name of ['major', 'minor', 'fileMode', 'uid', 'gid']) {
    const number = optional(fields, name, numberIn);
    if (number !== undefined) numbers[name] = number;
  }
  return {
    path,
    ...numbers,
    ...(hostPath && { hostPath }),
    ...(isType(type) && { type }),
    ...(permissions && { permissions }),
  };
}

const isType = (type: string | undefined): type is 'b' | 'c' | 'u' | 'p' =>
  type !== undefined && ['b', 'c', 'u', 'p'].includes(type);

function mountOf(value: unknown): CdiEdits['mounts'][number] {
  const fields = objectOf(value, 'mounts');
  const [hostPath, containerPath] = [textOf(fields, 'hostPath'), textOf(fields, 'containerPath')];
  const type = optional(fields, 'type', textIn);
  if (!hostPath) fail('invalid mount, empty host path');
  if (!containerPath) fail('invalid mount, empty container path');
  return { hostPath, containerPath, options: textsOf(fields, 'options') ?? [], ...(type && { type }) };
}

function hookOf(value: unknown): CdiHook {
  const fields = objectOf(value, 'hooks');
  const [hookName, path] = [textOf(fields, 'hookName'), textOf(fields, 'path')];
  if (!hookNames.includes(hookName)) fail(`invalid hook name ${JSON.stringify(hookName)}`);
  if (!path.startsWith('/')) fail(`invalid hook ${JSON.stringify(hookName)}, its path must be absolute`);
  const [args, env] = [textsOf(fields, 'args'), textsOf(fields, 'env')];
  const timeout = optional(fields, 'timeout', numberIn);
  return { hookName, path, ...(args && { args }), ...(env && { env }), ...(timeout && { timeout }) };
}

function refuseOthers(fields: Fields, supported: readonly string[], of: string): void {
  const other = Object.keys(fields).find((name) => !supported.includes(name));
  if (other) fail(`field ${JSON.stringify(other)} of the ${of} is not supported`);
}

const objectOf = (value: unknown, name: string): Fields => (isFields(value) ? value : fail(`${name} is not an object`));

const textIn = (value: unknown, name: string): string =>
  typeof value === 'string' ? value : fail(`${name} is not a string`);

const textOf = (fields: Fields, name: string): string => textIn(fields[name] ?? '', name);

const numberIn = (value: unknown, name: string): number =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : fail(`${name} is not a number`);

const optional = <T>(fields: Fields, name: string, read: (value: unknown, name: string) => T): T | undefined =>
  (fieldsIn(fields)[name] ?? undefined) === undefined ? undefined : read(fields[name], name);

function listOf(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name] ?? [];
  return isList(value) ? value : fail(`${name} is not a list`);
}

const textsOf = (fields: Fields, name: string): readonly string[] | undefined =>
  fields[name] === undefined ? undefined : listOf(fields, name).map((item) => textIn(item, name));
