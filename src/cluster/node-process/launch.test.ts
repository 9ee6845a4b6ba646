// Real processes: the launcher, and the end of one that outlived its main process.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../machinery/time/clock.ts';
import { type DataDirectory, dataDirectory } from '../data-directory.ts';
import { identityOf, isRunning } from '../process/process-identity.ts';
import { endFormerNodes, launchNodes } from './launch.ts';

let directory: DataDirectory;
const children: ChildProcess[] = [];
beforeEach(() => {
  directory = dataDirectory(mkdtempSync(path.join(tmpdir(), 'coracle-launch-')));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory.root, { recursive: true });
});

/** Runs a program that is this script. */
function launch(script: string) {
  const file = path.join(directory.root, 'program.cjs');
  writeFileSync(file, script);
  return launchNodes([process.execPath, file], directory, systemClock);
}
const record = () => JSON.parse(readFileSync(directory.nodesRunFile, 'utf8'));

test('messages go both ways, and the end is reported with its reason', async () => {
  const program = await launch(
    "process.on('message', (m) => process.send({ type: 'echo', m }, () => process.exit(3)))",
  );
  expect(record().pid).toBe(program.pid);
  const heard = new Promise((resolve) => program.onMessage(resolve));
  program.send({ type: 'stop' });
  expect(await heard).toEqual({ type: 'echo', m: { type: 'stop' } });
  expect(await program.ended).toBe('exit code 3');
  program.send({ type: 'stop' }); // lost, and no error
});

test('a process is killed on demand', async () => {
  const program = await launch("process.on('message', () => {})");
  program.kill();
  expect(await program.ended).toBe('killed by SIGKILL');
});

test('a program that does not exist ends with the reason', async () => {
  const program = await launchNodes([path.join(directory.root, 'none')], directory, systemClock);
  expect(await program.ended).toMatch(/ENOENT/);
});

test('a process that no file can name is not left behind', async () => {
  const at = { ...directory, nodesRunFile: path.join(directory.root, 'missing', 'nodes.json') };
  const pidFile = path.join(directory.root, 'pid');
  const program = path.join(directory.root, 'program.cjs');
  writeFileSync(program, `require('fs').writeFileSync(${JSON.stringify(pidFile)}, String(process.pid));`);
  await expect(launchNodes([process.execPath, program], at, systemClock)).rejects.toThrow('ENOENT');
  if (existsSync(pidFile)) expect(await isRunning(await identityOf(Number(readFileSync(pidFile, 'utf8'))))).toBe(false);
});

test('a former process has ended before the next one is launched', async () => {
  const former = spawn(process.execPath, ['-e', "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"]);
  children.push(former);
  const identity = await identityOf(former.pid!);
  writeFileSync(directory.nodesRunFile, JSON.stringify(identity));
  const program = await launch("process.on('message', () => {})");
  expect(await isRunning(identity)).toBe(false);
  expect(record().pid).toBe(program.pid);
  program.kill();
  await program.ended;
});

test('another process that got the same id is left alone', async () => {
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  children.push(other);
  writeFileSync(
    directory.nodesRunFile,
    JSON.stringify({ ...(await identityOf(other.pid!)), started: 'another boot 1' }),
  );
  await endFormerNodes(directory, systemClock);
  expect(await isRunning(await identityOf(other.pid!))).toBe(true);
  expect(existsSync(directory.nodesRunFile)).toBe(false);
});
