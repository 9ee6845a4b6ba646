// Containers survive Coracle and the log keeper, killed in any order, without a lost line or exit code, and inherit no
// file of either process.

import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../machinery/time/clock.ts';
import type { ContainerConfig, ContainerRuntime, SandboxConfig } from '../interface.ts';
import { startTimeOf } from '../processes/process.ts';
import { keeperSocket, shimWords } from './shim/shim-client.ts';
import type { ContainerRecord } from './state.ts';
import { cgroupsOf, create, image, isRoot, logLines, machine, sh, toEnd } from './test-machine.ts';

describe.skipIf(!isRoot)('native containers outlive their starter (needs root)', () => {
  const own = isRoot ? machine() : undefined!;
  let runtime: ContainerRuntime;
  beforeAll(async () => {
    runtime = await own.open();
    await runtime.pullImage(image);
  }, 60_000);
  afterAll(() => own?.end(runtime), 60_000);

  const start = async (container: Partial<ContainerConfig>, change: Partial<SandboxConfig> = {}) => {
    const created = await create(runtime, own.logDirectory, container, change);
    await runtime.startContainer(created.id);
    return created;
  };

  const keeper = () =>
    Number(
      execFileSync('pgrep', ['-f', `shim.ts logs ${own.options.root} `])
        .toString()
        .trim(),
    );

  const containerDirectory = (id: string) => join(own.options.root, 'containers', id);

  test('a container that ends while the keeper is dead loses neither its last words nor its exit code', async () => {
    const created = await start(sh('echo first; read x; echo second; printf third; exit 7', { stdin: true }));
    await expect.poll(() => logLines(created.log)).toEqual(['stdout F first']);
    await runtime.close();
    process.kill(keeper(), 'SIGKILL');
    // Its input is a pipe that its shell holds open.
    writeFileSync(join(containerDirectory(created.id), 'in'), '\n');
    await expect.poll(() => existsSync(join(own.options.root, 'exits', created.id))).toBe(true);
    expect(logLines(created.log)).toEqual(['stdout F first']);
    runtime = await own.open();
    expect(await runtime.containerStatus(created.id)).toMatchObject({ state: 'exited', exitCode: 7, reason: 'Error' });
    expect(logLines(created.log)).toEqual(['stdout F first', 'stdout F second', 'stdout P third']);
  });

  test('a keeper that is killed again and again loses no line, and no beginning of one', async () => {
    const script = 'i=0; while read x; do printf "$i a"; read x; echo " b"; i=$((i+1)); done';
    const created = await start(sh(script, { stdin: true }));
    const directory = containerDirectory(created.id);
    const enter = () => writeFileSync(join(directory, 'in'), '\n');
    const holdsBeginning = () => existsSync(join(directory, 'stdout.rest'));
    for (let i = 0; i < 3; i++) {
      await expect.poll(holdsBeginning, { timeout: 10_000 }).toBe(false);
      enter();
      await expect.poll(holdsBeginning, { timeout: 10_000 }).toBe(true);
      process.kill(keeper(), 'SIGKILL');
      await expect.poll(keeper, { timeout: 10_000 }).toBeGreaterThan(0);
      enter();
      await expect.poll(() => logLines(created.log).at(-1), { timeout: 10_000 }).toBe(`stdout F ${i} a b`);
    }
    expect(logLines(created.log)).toEqual([0, 1, 2].map((i) => `stdout F ${i} a b`));
    await runtime.removePodSandbox(created.sandbox);
  });

  test('more output than the pipes hold waits for the keeper', async () => {
    const created = await start(sh('read x; head -c 300000 /dev/zero | tr "\\\\0" x; echo; exit 5', { stdin: true }));
    await runtime.close();
    process.kill(keeper(), 'SIGKILL');
    writeFileSync(join(containerDirectory(created.id), 'in'), '\n');
    await systemClock.sleep(300);
    runtime = await own.open();
    const { status, lines } = await toEnd(runtime, created);
    expect(status.exitCode).toBe(5);
    expect(lines.map((line) => line.length - 9).reduce((sum, length) => sum + length)).toBe(300_000);
  });

  test('a start that Coracle did not live to record is taken over', async () => {
    const created = await create(runtime, own.logDirectory, sh('echo ran; sleep 1000'));
    const before = readFileSync(join(containerDirectory(created.id), 'state.json'), 'utf8');
    await runtime.startContainer(created.id);
    await runtime.close();
    writeFileSync(join(containerDirectory(created.id), 'state.json'), before);
    runtime = await own.open();
    const status = await runtime.containerStatus(created.id);
    expect(status).toMatchObject({ state: 'running' });
    expect(startTimeOf(status!.pid!)).toBeDefined();
    await runtime.stopContainer(created.id, 0);
    expect(await runtime.containerStatus(created.id)).toMatchObject({ state: 'exited', exitCode: 137 });
    expect(logLines(created.log)).toEqual(['stdout F ran']);
  });

  test('a container whose runtime process is killed ends, and its exit is reported', async () => {
    const created = await start(sh('sleep 1000'));
    const { pid } = (await runtime.containerStatus(created.id))!;
    const parent = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
    process.kill(parent, 'SIGKILL');
    const { status } = await toEnd(runtime, created);
    expect(status).toMatchObject({ exitCode: 137 });
    expect(startTimeOf(pid!)).toBeUndefined();
  });

  test('a container of a former version, run without an OCI runtime, ends cleanly when a new one starts', async () => {
    const created = await create(runtime, own.logDirectory, sh('true'));
    await runtime.close();
    const directory = containerDirectory(created.id);
    const exitFile = join(own.options.root, 'exits', created.id);
    // The shape of its supervisor: pipes, the exit code in a file, an acknowledgement.
    writeFileSync(
      join(directory, 'former'),
      `mkfifo in out err ack; exec 4<>out 5<>err 7<>ack
sh -c 'trap "echo bye; exit 4" TERM; echo $$ >pid.former; while :; do sleep 0.01; done' >&4 2>&5
echo $? >exit && mv exit ${exitFile}; read -r ack <&7`,
    );
    const child = spawn('sh', ['former'], { cwd: directory, detached: true, stdio: 'ignore' });
    await expect.poll(() => existsSync(join(directory, 'pid.former'))).toBe(true);
    const pid = Number(readFileSync(join(directory, 'pid.former'), 'utf8'));
    const state = join(directory, 'state.json');
    const { runtime: _runtime, ...record }: ContainerRecord = JSON.parse(readFileSync(state, 'utf8'));
    const supervisor = { supervisorPid: child.pid, supervisorStartTime: startTimeOf(child.pid!) };
    writeFileSync(
      state,
      JSON.stringify({ ...record, ...supervisor, state: 'running', pid, startTime: startTimeOf(pid) }),
    );
    mkdirSync(join(own.options.root, 'tools'), { recursive: true });
    runtime = await own.open();
    expect(await runtime.containerStatus(created.id)).toMatchObject({ state: 'exited', exitCode: 4 });
    expect(logLines(created.log)).toEqual(['stdout F bye']);
    expect(startTimeOf(pid)).toBeUndefined();
    expect(existsSync(join(own.options.root, 'tools'))).toBe(false);
    await runtime.removePodSandbox(created.sandbox);
  });

  test('a removed pod leaves no cgroup, process, mount or file', async () => {
    const created = await start(sh('sleep 1000'), { sharePid: true });
    const find = () => cgroupsOf(created.config.cgroupParent);
    expect(find()).not.toEqual([]);
    await runtime.removePodSandbox(created.sandbox);
    expect(find()).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(created.sandbox);
    for (const name of ['containers', 'sandboxes', 'oci', 'exits'])
      expect(
        readdirSync(join(own.options.root, name)).filter((id) => [created.id, created.sandbox].includes(id)),
      ).toEqual([]);
  });

  test("the keeper's socket is root's alone", () => {
    const socket = keeperSocket(own.options.root);
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(socket)).mode & 0o777).toBe(0o700);
  });

  test('the keeper inherits no open files, and a container has 0, 1 and 2 only', async () => {
    const secret = join(own.directory, 'store.mdb');
    writeFileSync(secret, 'the store');
    const leaked = openSync(secret, 'r+');
    const root = join(own.directory, 'other');
    mkdirSync(join(root, 'containers'), { recursive: true });
    const words = [...shimWords, 'logs', root, join(root, 's')];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'ignore', leaked, leaked] });
    await expect.poll(() => existsSync(join(root, 's')), { timeout: 20_000 }).toBe(true);
    const open = (pid: number) => readdirSync(`/proc/${pid}/fd`).map((name) => `/proc/${pid}/fd/${name}`);
    const targets = open(child.pid!).map((path) => readlinkSync(path));
    child.kill('SIGKILL');
    closeSync(leaked);
    expect(targets).not.toContain(secret);
    expect(targets.length).toBeGreaterThan(3);
    const created = await start(sh('sleep 1000'));
    const { pid } = (await runtime.containerStatus(created.id))!;
    // The runtime closes its files when it executes the command.
    await expect.poll(() => readdirSync(`/proc/${pid}/fd`)).toEqual(['0', '1', '2']);
    await runtime.removePodSandbox(created.sandbox);
  });
});
