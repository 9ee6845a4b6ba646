// A process namespace exists while its first process runs, so a pod with a shared one has a process that only waits,
// and reaps orphans. It is a container like any other, without privileges, in a file system with nothing but a shell,
// because containers of the pod can inspect it.

import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Cgroups } from '../../cgroups/cgroups.ts';
import type { ContainerConfig, SandboxConfig } from '../../interface.ts';
import { mustRun, runDetached } from '../../processes/process.ts';
import { RuntimeError } from '../../runtime-error.ts';
import { lastError, runtimeWords } from '../containers/bundle.ts';
import type { OciRuntime } from '../oci/oci-runtime.ts';
import { type NodeFacts, runtimeSpec } from '../oci/runtime-spec.ts';

interface PidHolderParts {
  /** Of the node's runtime. */
  readonly root: string;
  readonly runtime: OciRuntime;
  readonly runtimeRoot: string;
  readonly node: NodeFacts;
  readonly cgroups: Cgroups;
}

const programs = ['sh', 'sleep'];
const searchPath = ['/bin', '/usr/bin'];

export class PidHolder {
  readonly #parts: PidHolderParts;
  #tree?: Promise<string>;

  constructor(parts: PidHolderParts) {
    this.#parts = parts;
  }

  /** Makes the namespace, held by the file `pid` in the sandbox's directory. Rejects with RuntimeError('sandbox'). */
  async start(id: string, sandbox: SandboxConfig, directory: string, hostname: string): Promise<void> {
    const { root, runtime, runtimeRoot, node } = this.#parts;
    const tree = await (this.#tree ??= makeTree(join(root, 'holder')));
    const spec = runtimeSpec({
      config: holderConfig,
      sandbox: { ...sandbox, sharePid: false },
      image: {},
      accounts: { passwd: '', group: '' },
      ...{ node, hostname, namespaces: directory },
      shm: sandbox.hostIpc ? '/dev/shm' : join(directory, 'shm'),
      cgroupsPath: cgroupOf(id, sandbox),
    });
    const bundle = join(directory, 'holder');
    fs.mkdirSync(bundle, { recursive: true });
    fs.writeFileSync(join(bundle, 'config.json'), JSON.stringify({ ...spec, root: { path: tree, readonly: true } }));
    const [program, ...words] = runtimeWords({ runtime, runtimeRoot }, join(bundle, 'runtime.log'));
    const pidFile = join(bundle, 'pid');
    const run = ['run', '--detach', '--bundle', bundle, '--pid-file', pidFile, id];
    const code = await runDetached(program, [...words, ...run]);
    if (code !== 0) {
      const why = lastError(join(bundle, 'runtime.log')) ?? `exit code ${code}`;
      throw new RuntimeError('sandbox', `cannot share processes: ${why}`);
    }
    const pid = Number(fs.readFileSync(pidFile, 'utf8'));
    fs.writeFileSync(join(directory, 'pid'), '');
    await mustRun('mount', ['-n', '--bind', `/proc/${pid}/ns/pid`, join(directory, 'pid')]);
  }

  end(id: string, sandbox: SandboxConfig): void {
    this.#parts.cgroups.remove(cgroupOf(id, sandbox));
    fs.rmSync(join(this.#parts.runtimeRoot, id), { recursive: true, force: true });
  }
}

const cgroupOf = (id: string, sandbox: SandboxConfig) => join(sandbox.cgroupParent, id);

const holderConfig: ContainerConfig = {
  name: 'holder',
  attempt: 0,
  image: '',
  command: ['/bin/sh', '-c', 'while :; do sleep 1000000 & wait; done'],
  ...{
    args: [],
    env: [],
    mounts: [],
    labels: {},
    annotations: {},
    logPath: '',
    stdin: false,
    stdinOnce: false,
    tty: false,
  },
  resources: { cpuShares: 2, oomScoreAdj: -998 },
  security: {
    ...{ runAsUser: 65535, runAsGroup: 65535, privileged: false, readOnlyRootFilesystem: true, noNewPrivileges: true },
    ...{ addCapabilities: [], dropCapabilities: ['ALL'], seccomp: { type: 'RuntimeDefault' } },
  },
};

/** A shell and `sleep` of this machine with their libraries. */
async function makeTree(tree: string): Promise<string> {
  if (fs.existsSync(tree)) return tree;
  const making = `${tree}.new`;
  fs.rmSync(making, { recursive: true, force: true });
  for (const name of ['bin', 'proc', 'dev', 'sys']) fs.mkdirSync(join(making, name), { recursive: true, mode: 0o755 });
  for (const name of programs) {
    const path = searchPath.map((directory) => join(directory, name)).find((each) => fs.existsSync(each));
    if (!path) throw new RuntimeError('sandbox', `cannot share processes: ${name} not found`);
    copy(path, join(making, 'bin', name));
    // A statically linked program has none.
    const listed = await mustRun('ldd', [path]).catch(() => '');
    for (const [, library] of listed.matchAll(/(\/\S+) \(0x/g)) copy(library, join(making, library));
  }
  fs.chmodSync(making, 0o755);
  fs.renameSync(making, tree);
  return tree;
}

function copy(from: string, to: string): void {
  fs.mkdirSync(join(to, '..'), { recursive: true, mode: 0o755 });
  fs.copyFileSync(fs.realpathSync(from), to, fs.constants.COPYFILE_FICLONE);
  fs.chmodSync(to, 0o755);
}
