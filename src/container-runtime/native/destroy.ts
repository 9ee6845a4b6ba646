// Removes a native runtime from the machine. It works on partial state: any part may be missing or incomplete.

import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '../../machinery/time/clock.ts';
import type { Cgroups } from '../cgroups/cgroups.ts';
import { removeEmptyParents } from '../cgroups/qos-cgroups.ts';
import type { PodNetwork } from '../network/pod-network.ts';
import { run, signal, startTimeOf } from '../processes/process.ts';
import { removeDirectory } from './remove-directory.ts';
import { keeperSocket, type ShimClient, stopFormerKeeper } from './shim/shim-client.ts';
import { StateDirectory } from './state.ts';

export async function destroy(
  root: string,
  shim: ShimClient,
  network: PodNetwork,
  cgroups: Cgroups,
  clock: Clock,
): Promise<void> {
  await stopFormerKeeper(root);
  const state = new StateDirectory(root);
  const containers = state.containers();
  for (const { pid, startTime, supervisorPid, supervisorStartTime, cgroup } of containers) {
    if (pid && startTimeOf(pid) === startTime) signal(pid, 'SIGKILL');
    if (supervisorPid && startTimeOf(supervisorPid) === supervisorStartTime) signal(supervisorPid, 'SIGKILL');
    for (const left of cgroups.processes(cgroup)) signal(left, 'SIGKILL');
  }
  await shim.stop();
  // Those of containers that never got as far as a pid in their state file.
  for (const kind of ['containers', 'sandboxes'])
    for (const pid of ownProcessesBelow(join(root, kind))) signal(pid, 'SIGKILL');
  for (const { id } of state.sandboxes()) await network.detach(id, []);
  await network.destroy();
  for (let tries = 0; tries < 50 && containers.some(({ cgroup }) => cgroups.processes(cgroup).length > 0); tries++)
    await clock.sleep(10);
  // Processes left in a pod's cgroup are killed too: other processes than this one may have started them.
  for (const { cgroup } of containers) cgroups.remove(cgroup, true);
  for (const parent of state.cgroupParents()) cgroups.remove(parent, true);
  removeEmptyParents();
  const mounts = fs.existsSync(root) ? mountsBelow(fs.realpathSync(root)) : [];
  if (mounts.length > 0) await run('umount', ['-n', '-l', '-q', ...mounts]);
  await removeDirectory(dirname(keeperSocket(root)));
  for (const name of [...ownNames, ...formerNames]) await removeDirectory(join(root, name));
  for (const lease of containers) fs.rmSync(join(root, 'images', 'leases', lease.id), { force: true });
}

const ownNames = ['containers', 'sandboxes', 'exits', 'oci', 'holder', 'run', 'cgroup-parents'];

/** Files of a version that ran containers by other programs. */
export const formerNames = ['tools', 'dev', 'cgroup-views', 'shim.sock'];

/** The innermost first. */
function mountsBelow(root: string): string[] {
  const unescape_ = (path: string) =>
    path.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
  return fs
    .readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => unescape_(line.split(' ')[4] ?? ''))
    .filter((path) => path.startsWith(`${root}/`))
    .reverse();
}

/** Coracle's processes with their working directory there: a supervisor's is its container's. */
function ownProcessesBelow(directory: string): number[] {
  const ours = new Set(['sh', 'dash', 'ash', 'busybox', 'unshare', 'nsenter', 'script', 'runc', 'crun', 'mount']);
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const name = fs.readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
        return ours.has(name) && fs.readlinkSync(`/proc/${pid}/cwd`).startsWith(`${directory}/`);
      } catch {
        return false;
      }
    })
    .map(Number);
}
