// The settings of a cluster as the flags of `up`: they are in the data directory, for commands on a stopped cluster, and
// in backups.

import { readFile } from 'node:fs/promises';
import { type RunConfig, type Setting, type Settings, settings } from '../config.ts';
import type { DataDirectory } from '../data-directory.ts';
import { writeWhole } from '../write-whole.ts';

export type Flags = Readonly<Record<string, string>>;

export interface SavedSettings {
  readonly name: string;
  /** URL of the API server. */
  readonly server?: string;
  readonly store: Settings['store'];
  /** Those that differ from their defaults. */
  readonly flags: Flags;
}

export function settingsToSave(config: RunConfig, server: string): SavedSettings {
  const port = Number(new URL(server).port);
  const values = { ...config, nodes: config.nodeNames.length, nodeIP: undefined, ...(port && { port }) };
  const flags = (Object.entries(settings) as [keyof Settings, Setting<unknown>][]).flatMap(([name, setting]) => {
    const value: unknown = values[name];
    const isDefault = value === undefined || JSON.stringify(value) === JSON.stringify(setting.default);
    return isDefault ? [] : [[setting.flag, flagText(setting, value)] as const];
  });
  return { name: config.name, server, store: config.store, flags: Object.fromEntries(flags) };
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

/** The command that starts a cluster with these flags. */
export function startCommand(name: string, dataDirectory: string | undefined, flags: Flags): string {
  const words = [
    ...(name === 'coracle' ? [] : ['--name', name]),
    ...(dataDirectory === undefined ? [] : ['--data-dir', dataDirectory]),
    ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
  ];
  return ['./coracle up', ...words.map(quoted)].join(' ');
}

const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
