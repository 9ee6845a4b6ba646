// The devices of the Container Device Interface that the machine has: those of the files in its directories.
// https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md

import * as fs from 'node:fs';
import { extname, join } from 'node:path';
import { parse } from 'yaml';
import { type CdiEdits, type CdiSpec, cdiSpec } from './cdi-spec.ts';

const mostFiles = 1000;
const largestFile = 4 * 2 ** 20;
/** References of YAML to an earlier part, which a small file can use to become a large object. */
const mostAliases = 100;

interface Found {
  readonly edits: CdiEdits;
  readonly spec: CdiSpec;
}

/**
 * The edits of these devices, in their order: those of a file come before those of its first device. Throws an Error
 * that names the devices that no file has, or that two files of one directory have.
 */
export function cdiEdits(names: readonly string[], directories: readonly string[]): readonly CdiEdits[] {
  const { devices, faults } = readDevices(directories);
  const found = names.map((name) => devices.get(name));
  const missing = names.filter((_, index) => !found[index]);
  if (missing.length > 0)
    throw new Error([`unresolvable CDI devices ${missing.join(', ')}`, ...faults.slice(0, 3)].join('; '));
  const seen = new Set<CdiSpec>();
  return found.flatMap((device) => {
    if (!device) return [];
    const isFirst = !seen.has(device.spec);
    seen.add(device.spec);
    return isFirst ? [device.spec.edits, device.edits] : [device.edits];
  });
}

function readDevices(directories: readonly string[]) {
  const devices = new Map<string, Found>();
  const faults: string[] = [];
  for (const directory of directories) {
    const own = new Map<string, Found | 'conflict'>();
    for (const file of filesIn(directory)) {
      const spec = readSpec(file, faults);
      for (const [name, edits] of spec?.devices ?? []) {
        const full = `${spec?.kind}=${name}`;
        if (own.has(full)) faults.push(`conflicting device ${JSON.stringify(full)}`);
        if (spec) own.set(full, own.has(full) ? 'conflict' : { edits, spec });
      }
    }
    for (const [name, found] of own)
      if (found === 'conflict') devices.delete(name);
      else devices.set(name, found);
  }
  return { devices, faults };
}

function filesIn(directory: string): readonly string[] {
  try {
    const names = fs.readdirSync(directory).filter((name) => ['.json', '.yaml'].includes(extname(name)));
    return names
      .sort()
      .slice(0, mostFiles)
      .map((name) => join(directory, name));
  } catch {
    return [];
  }
}

/** Undefined for a file that does not follow the specification: the devices of the others stay usable. */
function readSpec(file: string, faults: string[]): CdiSpec | undefined {
  try {
    const stats = fs.statSync(file);
    // Opening a named pipe waits for its other end.
    if (!stats.isFile()) throw new Error('not a regular file');
    if (stats.size > largestFile) throw new Error(`larger than ${largestFile} bytes`);
    const text = fs.readFileSync(file, 'utf8');
    return cdiSpec(file.endsWith('.json') ? JSON.parse(text) : parse(text, { maxAliasCount: mostAliases }));
  } catch (error) {
    faults.push(`failed to load CDI Spec ${JSON.stringify(file)}: ${(error as Error).message}`);
    return undefined;
  }
}
