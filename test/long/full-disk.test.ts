// A cluster with a full disk: reads work, writes fail with the cause, /readyz reports it, no process ends, and it
// recovers by itself once there is space. The disk is a small tmpfs in a separate mount namespace, and also has the
// log.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/machinery/time/clock.ts';
import { checkout, whyNot } from '../e2e/machine.ts';
import { rounds } from './long.ts';

const reason = whyNot();

describe.skipIf(reason)(`a full disk${reason ? `: ${reason}` : ''}`, () => {
  const home = mkdtempSync(join(tmpdir(), 'coracle-full-'));
  const disk = join(home, 'disk');
  const data = join(disk, 'data');
  let namespace: ChildProcess;

  /** Runs where the disk is. */
  const inside = (command: string, ...args: string[]) =>
    spawnSync('nsenter', [`--mount=/proc/${namespace.pid}/ns/mnt`, command, ...args], {
      encoding: 'utf8',
      timeout: 60_000,
      env: { ...process.env, NO_COLOR: '1' },
    });
  const kubectl = (...args: string[]) =>
    inside(join(checkout, '.cache/tools/kubectl'), '--kubeconfig', join(data, 'kubeconfig'), ...args);
  const coracle = (...args: string[]) => inside(join(checkout, 'coracle'), ...args, '--data-dir', data);
  const fill = () => inside('dd', 'if=/dev/zero', `of=${join(disk, 'filler')}`, 'bs=64k');

  async function until(condition: string, is: () => boolean): Promise<void> {
    const endMs = performance.now() + 30_000;
    while (!is()) {
      if (performance.now() > endMs) expect.unreachable(`not within 30 s: ${condition}`);
      await systemClock.sleep(200);
    }
  }

  beforeAll(async () => {
    mkdirSync(disk);
    const script = `mount -t tmpfs -o size=24m tmpfs ${disk} && touch ${disk}/mounted && exec sleep 1200`;
    namespace = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script]);
    await until('the disk is mounted', () => existsSync(`/proc/${namespace.pid}/root${disk}/mounted`));
  });
  afterAll(() => {
    if (existsSync(`/proc/${namespace.pid}/root${data}`)) coracle('down', '--delete');
    namespace.kill('SIGKILL');
    rmSync(home, { recursive: true, force: true });
  });

  test('only affects writes and log lines while it lasts', async () => {
    const up = coracle('up', '--runtime', 'simulated', '--port', '0', '--output', 'json');
    expect(up.status, up.stderr).toBe(0);
    const { pid } = JSON.parse(up.stdout);
    expect(kubectl('create', 'configmap', 'before', '--from-literal=a=b').status).toBe(0);
    for (let round = 0; round < rounds(1, 10); round++) {
      kubectl('create', 'configmap', `doomed-${round}`, '--from-literal=a=b');
      expect(kubectl('run', `pod-${round}`, '--image=registry.test/a').stderr).toBe('');
      expect(fill().stderr).toMatch(/No space left/);
      const ready = kubectl('get', '--raw', '/readyz?verbose');
      expect(ready.status).not.toBe(0);
      expect(`${ready.stdout}${ready.stderr}`).toMatch(/\[-\]etcd failed/);
      expect(kubectl('get', '--raw', '/livez').stdout).toBe('ok');
      expect(kubectl('get', 'configmap', 'before', '-o', 'jsonpath={.data.a}').stdout).toBe('b');
      // Pages inside of the file may take a few writes.
      let refused = '';
      await until('a write is refused', () => {
        const value = execFileSync('openssl', ['rand', '-hex', '40000'], { encoding: 'utf8' }).trim();
        const { status, stderr } = kubectl(
          'create',
          'configmap',
          `full-${performance.now()}`,
          `--from-literal=a=${value}`,
        );
        if (status !== 0) refused = stderr;
        return status !== 0;
      });
      expect(refused).toMatch(/database space exceeded.*disk .* is full/);
      // Takes all space that a deletion frees.
      fill();
      for (const doomed of [`configmap/doomed-${round}`, `pod/pod-${round}`]) {
        const { status, stderr } = kubectl('delete', doomed, '--wait=false');
        expect(status, stderr).toBe(0);
      }
      expect(kubectl('label', 'configmap', 'before', `round=${round}`).stderr, 'small updates').toBe('');
      inside('rm', join(disk, 'filler'));
      await until('ready again', () => kubectl('get', '--raw', '/readyz').stdout === 'ok');
      expect(kubectl('create', 'configmap', `after-${round}`, '--from-literal=a=b').status).toBe(0);
      expect(existsSync(`/proc/${pid}`), 'the process lives on').toBe(true);
    }
    const before = kubectl('get', 'configmaps', '-o', 'name').stdout;
    expect(coracle('down').status).toBe(0);
    const again = coracle('up', '--runtime', 'simulated', '--port', '0', '--output', 'json');
    expect(again.status, again.stderr).toBe(0);
    expect(kubectl('get', 'configmaps', '-o', 'name').stdout).toBe(before);
    expect(readFileSync(`/proc/${namespace.pid}/root${data}/coracle.log`, 'utf8')).not.toContain('unexpected error');
  }, 600_000);
});
