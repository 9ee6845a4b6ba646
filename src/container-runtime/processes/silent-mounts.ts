// File systems whose server does not answer. A call that waits for one holds a thread of this process, or its event
// loop; with four of them it can read no file any more. So a separate process asks first, and is ended after a time.

import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { childStdio } from './inherited.ts';
import { hostEnvironment } from './process.ts';

/** File systems that depend on the kernel and the disks of this machine alone. */
const local =
  /^(ext\d|xfs|btrfs|zfs|f2fs|vfat|exfat|ntfs3|iso9660|udf|squashfs|erofs|tmpfs|ramfs|devtmpfs|hugetlbfs|overlay|proc|sysfs|devpts|mqueue|cgroup2?|nsfs|bpf|debugfs|tracefs|securityfs|configfs|rpc_pipefs|binfmt_misc)$/;

const answerMs = 5_000;

/** The first of the paths on a file system that does not answer; undefined if all answer. */
export async function silentPath(paths: readonly string[], limitMs = answerMs): Promise<string | undefined> {
  const remote = await remoteMounts();
  const asked = new Map<string, Promise<boolean>>();
  for (const path of remote.length > 0 ? paths : []) {
    const mount = remote.findLast((at) => path === at || path.startsWith(`${at}/`));
    if (mount === undefined) continue;
    if (!asked.has(mount)) asked.set(mount, answers(mount, limitMs));
    if (!(await asked.get(mount))) return path;
  }
  return undefined;
}

/** In the order in which they were mounted. */
async function remoteMounts(): Promise<readonly string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table.split('\n').flatMap((line) => {
    const [own, source = ''] = line.split(' - ');
    const [type] = source.split(' ');
    const at = own.split(' ')[4];
    return type === '' || at === undefined || local.test(type) ? [] : [unescaped(at)];
  });
}

const unescaped = (text: string): string =>
  text.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));

/** Any answer is one, an error too, and nothing is known where `stat` cannot be started. The process may outlive its end while the kernel waits for the server. */
function answers(mount: string, limitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const stdio = childStdio(['ignore', 'ignore', 'ignore']);
    const child = spawn('stat', ['-f', '--', mount], {
      ...{ env: hostEnvironment, stdio },
      ...{ timeout: limitMs, killSignal: 'SIGKILL' as const },
    });
    child.on('error', () => resolve(true));
    child.on('exit', (code) => resolve(code !== null));
  });
}
