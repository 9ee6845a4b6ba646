import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { expect, test } from 'vitest';
import { run } from './process.ts';

test("a store's file, open without close-on-exec, is not open in a child", async () => {
  const directory = mkdtempSync(join(tmpdir(), 'coracle-inherited-'));
  const store = open({ path: join(directory, 'store.mdb'), noSubdir: true });
  try {
    await store.put('key', 'value');
    // The inherited descriptors otherwise.
    const { stdout } = await run('sh', ['-c', 'ls -l /proc/self/fd']);
    expect(stdout).toContain('/dev/null');
    expect(stdout).not.toContain(directory);
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
