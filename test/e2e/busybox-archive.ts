import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const tools = ['sh', 'sleep', 'echo', 'hostname', 'httpd', 'wget', 'cat', 'mkdir', 'dd', 'wc'];

/** A docker-save archive of busybox in the directory, as an image of this name. */
export function busyboxArchive(directory: string, name: string): string {
  const root = path.join(directory, `archive-${name.replace(/\W/g, '-')}`);
  const programs = path.join(root, 'layer/bin');
  mkdirSync(programs, { recursive: true });
  spawnSync('cp', ['/bin/busybox', path.join(programs, 'busybox')]);
  for (const tool of tools)
    if (!existsSync(path.join(programs, tool))) symlinkSync('busybox', path.join(programs, tool));
  spawnSync('tar', ['-C', path.join(root, 'layer'), '-cf', path.join(root, 'layer.tar'), '.']);
  const digest = createHash('sha256')
    .update(readFileSync(path.join(root, 'layer.tar')))
    .digest('hex');
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Env: ['PATH=/bin'], Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
  };
  writeFileSync(path.join(root, 'config.json'), JSON.stringify(config));
  writeFileSync(
    path.join(root, 'manifest.json'),
    JSON.stringify([{ Config: 'config.json', RepoTags: [name], Layers: ['layer.tar'] }]),
  );
  const file = `${root}.tar`;
  spawnSync('tar', ['-C', root, '-cf', file, 'manifest.json', 'config.json', 'layer.tar']);
  return file;
}
