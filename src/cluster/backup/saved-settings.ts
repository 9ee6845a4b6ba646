// The settings of a cluster as the flags of `up`: they are in the data directory, for commands on a stopped cluster, and
// in backups.

import { readFile } from 'node:fs/promises';
import { kubernetesVersion } from '../../api/api.ts';
import { type RunConfig, type Setting, type Settings, settings } from '../config.ts';
import type { DataDirectory } from '../data-directory.ts';
import { version } from '../version.ts';
import { writeWhole } from '../write-whole.ts';

export type Flags = Readonly<Record<string, string>>;

export interface SavedSettings {
  readonly name: string;
  /** URL of the API server. */
  readonly server?: string;
  readonly store: Settings['store'];
  /** Of a server: the store is the etcd that all servers share. */
  readonly isServer?: boolean;
  /** Those that differ from their defaults. */
  readonly flags: Flags;
  /** Of the program that started last. */
  readonly versions?: { readonly coracle: string; readonly kubernetes: string };
}

export function settingsToSave(config: RunConfig, server: string, isServer: boolean): SavedSettings {
  const port = Number(new URL(server).port);
  const values = { ...config, nodes: config.nodeNames.length, nodeIP: undefined, ...(port && { port }) };
  const flags = (Object.entries(settings) as [keyof Settings, Setting<unknown>][]).flatMap(([name, setting]) => {
    const value: unknown = values[name];
    const isDefault = value === undefined || JSON.stringify(value) === JSON.stringify(setting.default);
    return isDefault ? [] : [[setting.flag, flagText(setting, value)] as const];
  });
  const store = isServer ? 'etcd' : config.store;
  const versions = { coracle: version, kubernetes: kubernetesVersion.gitVersion };
  return {
    name: config.name,
    server,
    store,
    ...(isServer && { isServer }),
    flags: Object.fromEntries(flags),
    versions,
  };
}

function flagText({ format }: Setting<unknown>, value: unknown): string {
  if (format) return format(value);
  return Array.isArray(value) ? value.join(',') : String(value);
}

export const saveSettings = (directory: DataDirectory, saved: SavedSettings): Promise<void> =>
  writeWhole(directory.settings, `${JSON.stringify(saved)}\n`, 0o600);

/** Undefined for a directory that an earlier version made. */
export async function readSettings(directory: DataDirectory): Promise<SavedSettings | undefined> {
  const text = await readFile(directory.settings, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as SavedSettings);
}

interface StartedCluster {
  readonly name: string;
  /** Left out: the default one. */
  readonly dataDirectory?: string;
  readonly flags: Flags;
  /** It is the first of several servers. */
  readonly isServer?: boolean | undefined;
}

/** The command that starts a cluster with these flags. */
export function startCommand({ name, dataDirectory, flags, isServer }: StartedCluster): string {
  const words = [
    ...(name === 'coracle' ? [] : ['--name', name]),
    ...(dataDirectory === undefined ? [] : ['--data-dir', dataDirectory]),
    ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
  ];
  return [isServer ? './coracle server --cluster-init' : './coracle up', ...words.map(quoted)].join(' ');
}

const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
