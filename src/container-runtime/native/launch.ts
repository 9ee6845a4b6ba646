// How a container comes to be: three small scripts of a shell, run by programs that every Linux has.
//
//   supervise  is the container's parent and outlives Coracle. It costs one dash (about 1 MB): it holds the pipes open,
//              waits for the end and writes the exit code to a file, and stays until the log has been read to its end.
//   enter      joins the cgroup and the pod's namespaces and makes the container's own.
//   init       is process 1 of the container: it mounts, changes the root, drops privileges and becomes the command.
//
// A Node process for each container would cost 40 MB; one for all of the node would take their exit codes with it when
// it dies. All mounts are in the container's own mount namespace, so nothing is left of them when it ends.

import * as fs from 'node:fs';
import { join, posix } from 'node:path';
import type { ContainerConfig, Mount, SandboxConfig } from '../container-runtime.ts';
import { RuntimeError } from '../runtime-error.ts';
import type { Cgroups } from './cgroups.ts';
import { quote } from './process.ts';
import type { RootfsView } from './rootfs-view.ts';
import type { ContainerRecord, ProcessSpec } from './state.ts';
import { oldRoot, type Tools, toolsPath } from './tools.ts';

export interface Launch {
  readonly record: ContainerRecord;
  readonly sandbox: SandboxConfig;
  /** State directories of container and sandbox, and the file for the exit code. */
  readonly directory: string;
  readonly sandboxDirectory: string;
  readonly exitFile: string;
  readonly lower: string;
  readonly view: RootfsView;
  readonly process: ProcessSpec;
  readonly command: readonly string[];
  readonly cgroups: Cgroups;
  readonly tools: Tools;
}

/** Writes the scripts and tables that `sh supervise` needs. Status lines go to its descriptor 3: `pipes`, `pid N`, `ok`. */
export function writeLaunch(launch: Launch): void {
  const { directory } = launch;
  const tables = mountTables(launch);
  fs.writeFileSync(join(directory, 'mounts.root'), tables.root);
  fs.writeFileSync(join(directory, 'mounts.rest'), tables.rest);
  fs.writeFileSync(join(directory, 'init'), initScript(launch, tables.inDev));
  fs.writeFileSync(join(directory, 'enter'), enterScript(launch));
  fs.writeFileSync(join(directory, 'supervise'), superviseScript(launch));
}

function superviseScript({ record, directory, exitFile }: Launch): string {
  const { stdin, stdinOnce, tty } = record.config;
  // Without stdinOnce the container's input stays open when nobody is attached, so this holds it as well.
  const input = stdin ? (stdinOnce ? '<in' : '<&6') : '</dev/null';
  const enter = tty ? `script -q -e -f -c 'exec sh enter' /dev/null` : 'exec sh enter';
  return `cd ${quote(directory)} || exit 1
mkfifo -m 600 in out err ack 2>&3 && echo pipes >&3 || exit 1
exec 4<>out 5<>err 7<>ack ${stdin && !stdinOnce ? '6<>in' : ''}
( ${enter} ) ${input} >&4 2>&${tty ? 4 : 5} 4>&- 5>&- 6>&- 7>&-
code=$?
# unshare of util-linux 2.38 fails to pass SIGKILL on, and says so; a start's errors have been told by now
[ -s errors ] && [ $code -eq 1 ] && code=137
exec 3>&-
echo $code >exit && mv exit ${quote(exitFile)}
read -r ack <&7
`;
}

function enterScript({ record, sandbox, sandboxDirectory, cgroups, directory }: Launch): string {
  const join_ = cgroups
    .joinFiles(record.cgroup)
    .map((file) => `echo 0 >${quote(file)} || exit 128`)
    .join('\n');
  const namespaces = [
    ...(sandbox.hostNetwork ? [] : [`--net=${sandboxDirectory}/net`, `--uts=${sandboxDirectory}/uts`]),
    ...(sandbox.hostIpc ? [] : [`--ipc=${sandboxDirectory}/ipc`]),
    ...(sandbox.sharePid && !sandbox.hostPid ? [`--pid=${sandboxDirectory}/pid`] : []),
  ];
  const nsenter = namespaces.length > 0 ? `nsenter ${namespaces.map(quote).join(' ')} ` : '';
  const pid = sandbox.hostPid || sandbox.sharePid ? '' : '--pid --fork --kill-child ';
  // A session of its own, with the terminal as its controlling one, is what a shell's job control needs.
  const session = record.config.tty ? 'setsid -c ' : '';
  const score = record.config.resources.oomScoreAdj;
  return `exec 8>&2 2>&3
${join_}
${score === undefined ? '' : `echo ${score} 2>/dev/null >/proc/self/oom_score_adj`}
exec 2>&8 8>&-
${record.config.tty ? 'terminal=$(tty) && echo "terminal $terminal" >&3' : ''}
exec ${nsenter}unshare --mount --propagation slave ${pid}--cgroup ${session}sh ${quote(join(directory, 'init'))} 9>&2 2>${quote(join(directory, 'errors'))}
`;
}

function initScript(launch: Launch, inDev: readonly string[]): string {
  const { directory, tools, process: spec, command, record } = launch;
  const root = join(directory, 'rootfs');
  const mount = (table: string) => `mount -n -a -T ${quote(join(directory, table))} 2>&3 || exit 128`;
  const words = [...processWords(tools, spec), ...command].map(quote).join(' ');
  return `exec 2>&9 9>&-
read -r pid rest </proc/self/stat
echo "pid $pid" >&3
${mount('mounts.root')}
cp -a ${quote(`${tools.devices}/.`)} ${quote(join(root, 'dev/'))} 2>&3 || exit 128
${record.config.security.privileged ? `cp -a ${machineDevices().map(quote).join(' ')} ${quote(join(root, 'dev/'))} 2>/dev/null` : ''}
${inDev.join('\n')}
${record.config.tty ? `: >${quote(join(root, 'dev/console'))}; mount -n --bind "$(tty)" ${quote(join(root, 'dev/console'))} 2>&3 || exit 128` : ''}
${mount('mounts.rest')}
umask 022
cd ${quote(root)} || exit 128
pivot_root . ${quote(oldRoot.slice(1))} 2>&3 || exit 128
cd / || exit 128
${tools.inside('umount').map(quote).join(' ')} -n -l ${oldRoot} 2>&3 || exit 128
echo ok >&3
exec 3>&-
exec ${words}
`;
}

/** The words before a command inside a container: privileges are dropped first, then the environment is set. */
export function processWords(tools: Tools, spec: ProcessSpec): readonly string[] {
  const groups = spec.groups.length > 0 ? [`--groups=${spec.groups.join(',')}`] : ['--clear-groups'];
  const bounding = spec.capabilities
    ? [`--bounding-set=-all${spec.capabilities.map((name) => `,+${name.toLowerCase()}`).join('')}`]
    : [];
  return [
    ...tools.inside('setpriv'),
    `--reuid=${spec.uid}`,
    `--regid=${spec.gid}`,
    ...groups,
    '--inh-caps=-all',
    ...bounding,
    ...(spec.noNewPrivileges ? ['--no-new-privs'] : []),
    ...tools.inside('env'),
    '-i',
    '-C',
    spec.cwd,
    ...spec.env,
  ];
}

/** Hidden from or read-only in a container that is not privileged (OCI defaults, as in containerd). */
const masked = 'asound acpi kcore keys latency_stats timer_list timer_stats sched_debug scsi'.split(' ');
const readOnlyPaths = 'bus fs irq sys sysrq-trigger'.split(' ');

interface Tables {
  /** Mounted before and after /dev is filled. */
  readonly root: string;
  readonly rest: string;
  /** Commands that make mount targets below /dev. */
  readonly inDev: readonly string[];
}

/** One `mount -a` for many mounts: a process for each would be the larger part of a container's start. */
function mountTables({ record, sandbox, directory, sandboxDirectory, lower, view, cgroups, tools }: Launch): Tables {
  const { privileged, readOnlyRootFilesystem } = record.config.security;
  const root = join(directory, 'rootfs');
  const at = (path: string) => join(root, path);
  const overlay = `lowerdir=${lower},upperdir=${join(directory, 'upper')},workdir=${join(directory, 'work')}`;
  const base = [
    line('overlay', root, 'overlay', `${overlay}${readOnlyRootFilesystem ? ',ro' : ''}`),
    line('tmpfs', at('dev'), 'tmpfs', 'nosuid,strictatime,mode=755,size=65536k'),
  ];
  const shm = sandbox.hostIpc ? '/dev/shm' : join(sandboxDirectory, 'shm');
  const rest = [
    line(tools.directory, at(toolsPath), 'none', 'bind,ro'),
    line('devpts', at('dev/pts'), 'devpts', 'nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5'),
    line('mqueue', at('dev/mqueue'), 'mqueue', 'nosuid,nodev,noexec'),
    line(shm, at('dev/shm'), 'none', 'bind'),
    line('proc', at('proc'), 'proc', 'nosuid,nodev,noexec'),
    line('sysfs', at('sys'), 'sysfs', `nosuid,nodev,noexec${privileged ? '' : ',ro'}`),
  ];
  const views = cgroups.views(record.cgroup);
  const access = privileged ? 'bind' : 'bind,ro';
  if (cgroups.version === 2)
    rest.push(line('cgroup2', at('sys/fs/cgroup'), 'cgroup2', `nosuid,nodev,noexec${privileged ? '' : ',ro'}`));
  else rest.push(line(tools.cgroupViews, at('sys/fs/cgroup'), 'none', 'bind,ro'));
  for (const { name, directory } of views) rest.push(line(directory, at(`sys/fs/cgroup/${name}`), 'none', access));
  if (!privileged) rest.push(...maskedPaths(at));
  const inDev: string[] = [];
  for (const mount of inMountOrder(record.config.mounts)) rest.push(volume(mount, view, at, inDev));
  return { root: base.join(''), rest: rest.join(''), inDev };
}

function maskedPaths(at: (path: string) => string): string[] {
  const lines: string[] = [];
  for (const name of masked) {
    const stat = fs.statSync(`/proc/${name}`, { throwIfNoEntry: false });
    if (!stat) continue;
    lines.push(
      stat.isDirectory()
        ? line('tmpfs', at(`proc/${name}`), 'tmpfs', 'ro,size=0')
        : line('/dev/null', at(`proc/${name}`), 'none', 'bind'),
    );
  }
  if (fs.existsSync('/sys/firmware')) lines.push(line('tmpfs', at('sys/firmware'), 'tmpfs', 'ro,size=0'));
  for (const name of readOnlyPaths)
    if (fs.existsSync(`/proc/${name}`))
      lines.push(line(at(`proc/${name}`), at(`proc/${name}`), 'none', 'bind,ro,nosuid,nodev,noexec'));
  return lines;
}

/** Outer directories first, otherwise as given. */
function inMountOrder(mounts: readonly Mount[]): Mount[] {
  const depth = (mount: Mount) => posix.normalize(mount.containerPath).split('/').filter(Boolean).length;
  return mounts.toSorted((a, b) => depth(a) - depth(b));
}

function volume(mount: Mount, view: RootfsView, at: (path: string) => string, inDev: string[]): string {
  const source = fs.statSync(mount.hostPath, { throwIfNoEntry: false });
  if (!source)
    throw new RuntimeError(
      'create',
      `failed to generate container spec: failed to stat "${mount.hostPath}": no such file or directory`,
    );
  if (mount.propagation === 'bidirectional')
    throw new RuntimeError(
      'create',
      `mount propagation Bidirectional of ${mount.containerPath} is not supported by the native runtime`,
    );
  let path = posix.normalize(`/${mount.containerPath}`);
  if (path.startsWith('/dev/')) {
    const target = quote(at(path));
    inDev.push(
      source.isDirectory() ? `mkdir -p ${target}` : `mkdir -p ${quote(posix.dirname(at(path)))}; : >${target}`,
    );
  } else if (!/^\/(proc|sys)(\/|$)/.test(path)) path = view.makeTarget(mount);
  view.addMount(path, mount.hostPath);
  const propagation = mount.propagation === 'hostToContainer' ? 'rslave' : 'rprivate';
  return line(mount.hostPath, at(path), 'none', `rbind,${mount.readOnly ? 'ro,' : ''}${propagation}`);
}

function line(source: string, target: string, type: string, options: string): string {
  const word = (text: string) =>
    text.replace(/[\\\s]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return `${word(source)} ${word(target)} ${type} ${word(options)} 0 0\n`;
}

/** All that a privileged container gets of /dev, besides what every container has. */
function machineDevices(): string[] {
  const own = new Set(['pts', 'shm', 'mqueue', 'null', 'zero', 'full', 'random', 'urandom', 'tty', 'console', 'ptmx']);
  return fs
    .readdirSync('/dev', { withFileTypes: true })
    .filter((entry) => !own.has(entry.name) && (entry.isCharacterDevice() || entry.isBlockDevice()))
    .map((entry) => `/dev/${entry.name}`);
}

/** NAME=value: the image's, then the pod's, then what every container has. */
export function environmentOf(imageEnv: readonly string[], config: ContainerConfig, home: string, hostname: string) {
  const env = new Map<string, string>();
  const add = (name: string, value: string) => env.set(name, value);
  for (const entry of imageEnv) add(entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1));
  for (const { key, value } of config.env) add(key, value);
  if (!env.has('PATH')) add('PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin');
  if (!env.has('HOME')) add('HOME', home);
  if (!env.has('HOSTNAME')) add('HOSTNAME', hostname);
  if (config.tty && !env.has('TERM')) add('TERM', 'xterm');
  return [...env].map(([name, value]) => `${name}=${value}`);
}
