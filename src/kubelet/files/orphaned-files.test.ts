import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { silentLogger } from '../../machinery/logger.ts';
import type { KubeletConfig } from '../config.ts';
import { removeOrphanedFiles } from './orphaned-files.ts';

const [gone, existing] = ['11111111-2222-3333-4444-555555555555', '66666666-7777-8888-9999-000000000000'];

test('only remains of unknown pods are removed', async () => {
  const directory = fs.mkdtempSync(path.join(tmpdir(), 'coracle-orphans-'));
  try {
    const made = [
      ...[gone, existing, 'lost+found'].flatMap((uid) => [
        `root/pods/${uid}/volumes/x`,
        `root/memory/${uid}/volumes/x`,
      ]),
      ...[gone, existing, 'x'].map((uid) => `logs/ns_p_${uid}/c`),
    ];
    for (const name of made) fs.mkdirSync(path.join(directory, name), { recursive: true });
    fs.symlinkSync('/etc', path.join(directory, 'root/pods', gone, 'volumes/x/link'));
    const config = {
      rootDirectory: path.join(directory, 'root'),
      podLogsDirectory: path.join(directory, 'logs'),
    } as KubeletConfig;
    await removeOrphanedFiles({ config, logger: silentLogger }, (uid) => uid === existing);
    const left = (name: string) => fs.readdirSync(path.join(directory, name)).sort();
    expect(left('root/pods')).toEqual([existing, 'lost+found']);
    expect(left('root/memory')).toEqual([existing, 'lost+found']);
    expect(left('logs')).toEqual([`ns_p_${existing}`, 'ns_p_x']);
    expect(fs.existsSync('/etc/passwd')).toBe(true);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});
