import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { nfs } from './nfs.ts';
import type { VolumeContext } from './volume.ts';

// A program named mount that records its arguments stands in for mount(8): tests have no NFS server.
let directory: string;
const searched = process.env['PATH'];
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'coracle-nfs-'));
  process.env['PATH'] = `${directory}:${searched}`;
});
afterEach(() => {
  process.env['PATH'] = searched;
  rmSync(directory, { recursive: true });
});

const mountProgram = (script: string) => {
  const file = path.join(directory, 'mount');
  writeFileSync(file, `#!/bin/sh\necho "$@" > ${directory}/arguments\n${script}\n`);
  chmodSync(file, 0o755);
};
const setUp = (source: object = {}, context: Partial<VolumeContext> = {}) =>
  nfs.setUp({ name: 'v', nfs: { server: 'files', path: '/share', ...source } }, {
    directory: path.join(directory, 'v'),
    readOnly: false,
    mountOptions: [],
    ...context,
  } as VolumeContext);

test.each<[string, object, Partial<VolumeContext>, string]>([
  ['a share', {}, {}, '-t nfs -- files:/share'],
  ['a share that is read', { readOnly: true }, {}, '-t nfs -o ro -- files:/share'],
  ['a share of a claim that is read', {}, { readOnly: true }, '-t nfs -o ro -- files:/share'],
  ['mount options', {}, { mountOptions: ['hard', 'nfsvers=4.1'] }, '-t nfs -o hard,nfsvers=4.1 -- files:/share'],
])('%s', async (_, source, context, expected) => {
  mountProgram('exit 0');
  expect(await setUp(source, context)).toBe(path.join(directory, 'v'));
  expect(readFileSync(path.join(directory, 'arguments'), 'utf8')).toBe(`${expected} ${directory}/v\n`);
});

test.each([
  [
    'a node without a helper',
    "mount: unknown filesystem type 'nfs'.",
    'this node has no mount.nfs (install nfs-common or nfs-utils)',
  ],
  [
    'a server that refuses',
    'mount.nfs: access denied by server',
    'mount of files:/share failed: mount.nfs: access denied by server',
  ],
])('%s is named in the error', async (_, says, expected) => {
  mountProgram(`echo "${says}" >&2; exit 32`);
  await expect(setUp()).rejects.toThrow(expected);
});
