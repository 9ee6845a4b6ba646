// For tests: a native runtime in a separate network, isolated from the machine's, and its pods.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../machinery/logger.ts';
import { systemRandom } from '../../machinery/random.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import type { ContainerConfig, ContainerRuntime, ContainerStatus, SandboxConfig } from '../interface.ts';
import { containerConfig, sandboxConfig } from '../runtime.contract.ts';
import { createNativeRuntime, destroyNativeRuntime, type NativeOptions } from './native.ts';

export const image = 'coracle.local/hello';
export const isRoot = process.getuid?.() === 0;

export function machine() {
  const directory = mkdtempSync(join(tmpdir(), 'coracle-native-'));
  const networkNamespace = join(directory, 'netns');
  writeFileSync(networkNamespace, '');
  execFileSync('unshare', [`--net=${networkNamespace}`, 'ip', 'link', 'set', 'lo', 'up']);
  const imageDirectory = join(directory, 'images');
  const root = join(directory, 'node');
  const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const ociRuntime = process.env['CORACLE_OCI_RUNTIME'];
  const options: NativeOptions = {
    root,
    imageDirectory,
    networkNamespace,
    ...parts,
    ...(ociRuntime && { ociRuntime }),
  };
  const logDirectory = join(directory, 'logs');
  return {
    directory,
    options,
    logDirectory,
    async open(): Promise<ContainerRuntime> {
      const runtime = await createNativeRuntime(options);
      await runtime.updatePodCidrs(['10.88.0.0/24', 'fd00:88::/64']);
      return runtime;
    },
    async end(runtime?: ContainerRuntime) {
      await runtime?.close();
      await destroyNativeRuntime(options);
      execFileSync('umount', ['-l', networkNamespace]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export interface Created {
  readonly sandbox: string;
  readonly id: string;
  readonly config: SandboxConfig;
  readonly log: string;
}

export async function create(
  runtime: ContainerRuntime,
  logDirectory: string,
  container: Partial<ContainerConfig> = {},
  change: Partial<SandboxConfig> = {},
): Promise<Created> {
  const config = sandboxConfig(logDirectory, change);
  const sandbox = await runtime.runPodSandbox(config);
  const logPath = `${config.uid}/0.log`;
  const id = await runtime.createContainer(sandbox, containerConfig({ image, logPath, ...container }), config);
  return { sandbox, id, config, log: join(logDirectory, logPath) };
}

/** Waits for the container's exit and returns its log without times. */
export async function toEnd(runtime: ContainerRuntime, { id, log }: Pick<Created, 'id' | 'log'>) {
  for (let i = 0; i < 500; i++) {
    const status: ContainerStatus | undefined = await runtime.containerStatus(id);
    if (status?.state === 'exited') return { status, lines: logLines(log) };
    await systemClock.sleep(10);
  }
  throw new Error(`container ${id} did not end`);
}

export function logLines(path: string): string[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => line.slice(line.indexOf(' ') + 1));
}

export const sh = (script: string, more: Partial<ContainerConfig> = {}) => ({ command: ['sh', '-c', script], ...more });

/** Directories of cgroups with this in their path, in all hierarchies. Directories may disappear meanwhile. */
export const cgroupsOf = (part: string): string[] =>
  spawnSync('find', ['/sys/fs/cgroup', '-type', 'd', '-path', `*${part}*`], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter(Boolean);
