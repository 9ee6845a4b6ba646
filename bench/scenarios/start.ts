// Measures Coracle's start time, and its memory and CPU when idle. Starts separate clusters.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Figure } from '../scenario.ts';
import { isRunning, startPod } from '../start-pod.ts';
import { openTarget } from '../target.ts';
import { prepareNamespace } from './api.ts';

const root = path.resolve(import.meta.dirname, '../..');
const program = path.join(root, 'dist', 'coracle.js');

/** Runs `coracle up` on an empty data directory (and again on the full one) with the given runtime. */
export async function measureStart(runtime: 'native' | 'simulated'): Promise<readonly Figure[]> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'coracle-bench-'));
  const call = (...args: string[]) =>
    execFileSync(process.execPath, [program, ...args, '--data-dir', directory], { encoding: 'utf8', cwd: root });
  try {
    const first = await timeUp(directory, runtime);
    await firstPod(directory); // makes the image for the pods below
    await new Promise((done) => setTimeout(done, 5000));
    const { processes } = JSON.parse(call('status', '--output', 'json'));
    const memory = processes.reduce((sum: number, { pid }: { pid: number }) => sum + memoryOf(pid), 0);
    call('down');
    const again = await timeUp(directory, runtime);
    const podMs = again.readyMs + (await firstPod(directory));
    return [
      { name: 'start to usable, empty', value: first.readyMs, unit: 'ms', better: 'less' },
      { name: 'start to readyz, empty', value: first.readyzMs, unit: 'ms', better: 'less' },
      { name: 'start to usable, again', value: again.readyMs, unit: 'ms', better: 'less' },
      { name: 'start to readyz, again', value: again.readyzMs, unit: 'ms', better: 'less' },
      { name: 'start to a first pod Running, again', value: podMs, unit: 'ms', better: 'less' },
      { name: 'memory when idle', value: memory, unit: 'MB', better: 'less' },
    ];
  } finally {
    call('down', '--delete');
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Resident, in MB. */
const memoryOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1000;

async function firstPod(directory: string): Promise<number> {
  const target = await openTarget('A', path.join(directory, 'kubeconfig'), []);
  try {
    await prepareNamespace(target);
    return await startPod(target, `first-${serial++}`, isRunning);
  } finally {
    target.close();
  }
}

let serial = 0;

/** The steps that `up` prints add up to readyz (once kube-apiserver has started) and to Ready (when it returns). */
function timeUp(directory: string, runtime: string): Promise<{ readyMs: number; readyzMs: number }> {
  return new Promise((resolve, reject) => {
    const beginMs = performance.now();
    let readyzMs = 0;
    const child = spawn(
      process.execPath,
      [program, 'up', '--data-dir', directory, '--runtime', runtime, '--port', '0'],
      { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    child.stdout.on('data', (text) => {
      if (readyzMs === 0 && String(text).includes('kube-apiserver')) readyzMs = performance.now() - beginMs;
    });
    child.on('error', reject);
    child.on('exit', (code) =>
      code === 0
        ? resolve({ readyMs: performance.now() - beginMs, readyzMs })
        : reject(new Error(`coracle up ended with ${code}`)),
    );
  });
}
