// A container's bundle: its directory with the config.json for the OCI runtime, its file system, and the script of the
// supervisor shell, which is the runtime's parent on this machine. The shell outlives Coracle and the log keeper and
// takes 0.3 MB: it holds the pipes open, writes the exit code to a file, and stays until the log has been read to its
// end. The container's file system is mounted in the shell's mount namespace, so that it disappears with the shell.

import * as fs from 'node:fs';
import { join } from 'node:path';
import { quote } from '../../processes/process.ts';
import type { OciRuntime } from '../oci/oci-runtime.ts';
import type { OciIdMapping, OciSpec } from '../oci/oci-types.ts';

interface Bundle {
  readonly id: string;
  readonly directory: string;
  readonly spec: OciSpec;
  readonly runtime: OciRuntime;
  /** The directory of the OCI runtime's state. */
  readonly runtimeRoot: string;
  /** Gets the exit code. */
  readonly exitFile: string;
  /** The image's file tree. */
  readonly tree: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  /** Other containers see its processes. */
  readonly shared: boolean;
}

/** Names in a bundle's directory. */
export const bundleFiles = {
  /** The container's input and output; `ack` ends the shell. */
  pipes: ['in', 'out', 'err', 'ack'],
  /** The last pipe that is made. */
  lastPipe: 'ack',
  /** Written once the container runs: its first process. */
  pid: 'pid',
  supervisor: 'supervisor',
  runtimeLog: 'runtime.log',
  mountLog: 'mount.log',
  /** There where other containers see the processes of this one. */
  shared: 'shared',
  /** The exit code, if the OCI runtime has lost it. */
  code: 'code',
  /** The `process` of config.json, for those that join the container. */
  process: 'process.json',
} as const;

/** The words that start the bundle's shell, in its directory. */
export function superviseWords(spec: OciSpec): readonly string[] {
  // Mounts that propagate to the machine must be made in the machine's mount namespace.
  if (spec.linux.rootfsPropagation === 'rshared') return ['sh', 'supervise'];
  return ['unshare', '--mount', '--propagation', 'slave', 'sh', 'supervise'];
}

export function writeBundle(bundle: Bundle): void {
  const { directory, spec, tree } = bundle;
  const mapping = spec.linux.uidMappings?.[0];
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const name of ['upper', 'work', 'rootfs', ...(mapping ? ['mapped'] : [])]) fs.mkdirSync(join(directory, name));
  const upper = join(directory, 'upper');
  fs.chmodSync(upper, 0o755); // it becomes the root directory of the container
  if (mapping)
    for (const path of [directory, upper, join(directory, 'work')]) fs.chownSync(path, mapping.hostID, mapping.hostID);
  // By a link, so that special characters of the path do not affect `mount`.
  fs.symlinkSync(tree, join(directory, 'lower'));
  fs.writeFileSync(join(directory, 'config.json'), JSON.stringify(spec), { mode: 0o600 });
  fs.writeFileSync(join(directory, bundleFiles.process), JSON.stringify(spec.process), { mode: 0o600 });
  if (bundle.shared) fs.writeFileSync(join(directory, bundleFiles.shared), '');
  fs.writeFileSync(join(directory, 'supervise'), superviseScript(bundle, mapping), { mode: 0o600 });
}

/** The container's user may read its own cgroup, whose mode follows from the umask of the OCI runtime. */
function superviseScript(bundle: Bundle, mapping?: OciIdMapping): string {
  const { directory, spec, exitFile, stdin, stdinOnce } = bundle;
  const { terminal } = spec.process;
  // Without stdinOnce the container's input stays open without clients, so the shell holds it too.
  const input = stdin ? (stdinOnce ? '<in' : '<&6') : '</dev/null';
  const words = runWords(bundle).map(quote).join(' ');
  // The runtime copies between the container's terminal and one of this machine.
  const command = terminal ? `script -q -e -f -c ${quote(`exec ${words}`)} /dev/null` : `exec ${words}`;
  return `cd ${quote(directory)} || exit 1
umask 077
echo $$ >supervisor
(${mountCommands(mapping)}) 2>mount.log &
mkfifo in out err ack || exit 1
exec 4<>out 5<>err 7<>ack ${stdin && !stdinOnce ? '6<>in' : ''}
if wait $!; then
  ( umask 022; ${command} ) ${input} >&4 2>&${terminal ? 4 : 5} 4>&- 5>&- 6>&- 7>&-
  code=$?
  [ ! -s code ] || read -r code <code
else
  code=128
fi
echo $code >exit && mv exit ${quote(exitFile)}
read -r ack <&7
umount -n -l -q rootfs
`;
}

function mountCommands(mapping?: OciIdMapping): string {
  const overlay = (lower: string) =>
    `exec mount -n -t overlay -o lowerdir=${lower},upperdir=upper,workdir=work overlay rootfs`;
  if (!mapping) return overlay('lower');
  // https://docs.kernel.org/filesystems/idmappings.html; the image's files keep their ids inside.
  const { containerID, hostID, size } = mapping;
  const map = `${containerID}:${hostID}:${size}`;
  return `mount -n --bind -o X-mount.idmap='u:${map} g:${map}' lower/ mapped && ${overlay('mapped')}`;
}

/** The words that the OCI runtime's every call begins with. */
export const runtimeWords = ({ runtime, runtimeRoot }: Pick<Bundle, 'runtime' | 'runtimeRoot'>, log: string) => [
  runtime.path,
  '--root',
  runtimeRoot,
  '--log',
  log,
  '--log-format',
  'json',
];

function runWords(bundle: Bundle): readonly string[] {
  const { id, runtime } = bundle;
  const keep = runtime.keeps ? ['--keep'] : [];
  // The debug log shows when the first process ends; it costs as much as the start itself.
  const debug = bundle.shared && runtime.name === 'runc' ? ['--debug'] : [];
  return [...runtimeWords(bundle, bundleFiles.runtimeLog), ...debug, 'run', ...keep, '--pid-file', bundleFiles.pid, id];
}

/** The OCI runtime's error of a failed start. */
export function startProblem(directory: string): string {
  const fromRuntime = lastError(join(directory, bundleFiles.runtimeLog));
  if (fromRuntime) return fromRuntime;
  const fromMount = read(join(directory, bundleFiles.mountLog)).trim();
  return fromMount || 'the container ended before its command ran';
}

/** The message of the last error of a runtime's log (a JSON object a line); undefined when there is none. */
export function lastError(path: string): string | undefined {
  const errors = read(path)
    .split('\n')
    .flatMap((line) => {
      try {
        const { level, msg } = JSON.parse(line);
        return level === 'error' ? [String(msg)] : [];
      } catch {
        return [];
      }
    });
  return errors.at(-1);
}

const read = (path: string) => (fs.existsSync(path) ? fs.readFileSync(path, 'utf8') : '');
