// The launcher, with programs that stand in for Node and npm.

import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

let checkout: string;
const place = (name: string) => path.join(checkout, name);
function program(name: string, lines: string): void {
  mkdirSync(path.dirname(place(name)), { recursive: true });
  writeFileSync(place(name), `#!/bin/sh\n${lines}\n`);
  chmodSync(place(name), 0o755);
}

beforeEach(() => {
  checkout = mkdtempSync(path.join(tmpdir(), 'coracle-launcher-'));
  copyFileSync(path.join(import.meta.dirname, '..', 'coracle'), place('coracle'));
  chmodSync(place('coracle'), 0o755);
  for (const directory of ['src', 'scripts', 'facts', 'dist', 'node_modules']) mkdirSync(place(directory));
  writeFileSync(place('package-lock.json'), '{}');
  program('.cache/node/bin/node', 'echo "ran $*"');
  // It takes a while, and fails if another one works in the same directory.
  program(
    'bin/npm',
    `mkdir ${place('busy')} || exit 1; sleep 0.3; echo installed >>${place('calls')}; rmdir ${place('busy')}`,
  );
  writeFileSync(place('dist/coracle.js'), '');
});
afterEach(() => rmSync(checkout, { recursive: true, force: true }));

function run(): Promise<{ code: number | null; output: string }> {
  const child = spawn(place('coracle'), ['status'], { env: { PATH: `${place('bin')}:/usr/bin:/bin` } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

test('of several first runs at once, one installs the dependencies', async () => {
  const results = await Promise.all([run(), run(), run()]);
  for (const { code, output } of results) {
    expect(code, output).toBe(0);
    expect(output).toMatch(/^ran .*dist\/coracle\.js status$/m);
  }
  expect(readFileSync(place('calls'), 'utf8')).toBe('installed\n');
});

test('dependencies are installed again after a change of the lockfile alone', async () => {
  await run();
  await run();
  writeFileSync(place('package-lock.json'), '{"changed":1}');
  await run();
  expect(readFileSync(place('calls'), 'utf8')).toBe('installed\ninstalled\n');
});
