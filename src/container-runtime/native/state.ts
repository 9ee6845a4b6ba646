// The native runtime's state on disk, which the next process reads after a crash.

import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { ContainerConfig, SandboxConfig, SandboxState } from '../interface.ts';

export interface SandboxRecord {
  readonly id: string;
  readonly config: SandboxConfig;
  readonly createdAt: number;
  readonly ips: readonly string[];
  readonly state: SandboxState;
  /** Namespaces end with the machine's run. */
  readonly bootId: string;
}

export interface ContainerRecord {
  readonly id: string;
  readonly sandboxId: string;
  readonly config: ContainerConfig;
  readonly logPath: string;
  readonly imageId: string;
  readonly imageRef: string;
  readonly stopSignal: string;
  readonly cgroup: string;
  readonly createdAt: number;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly state: 'created' | 'running' | 'exited';
  /** Of the container's first process, in this machine's numbers. */
  readonly pid?: number;
  readonly startTime?: string;
  readonly supervisorPid?: number;
  readonly supervisorStartTime?: string;
  readonly bootId: string;
  /** Of those that an OCI runtime runs; a former version of Coracle ran containers without one. */
  readonly runtime?: 'crun' | 'runc';
  /** Out-of-memory kills in the pod before this container: for the case that its count is lost with its cgroup. */
  readonly killsBefore?: number;
}

export class StateDirectory {
  readonly root: string;
  #cgroupParents?: Set<string>;

  constructor(root: string) {
    this.root = root;
    for (const name of ['sandboxes', 'exits']) mkdirSync(join(root, name), { recursive: true, mode: 0o700 });
    // A container's directory is accessible to its root only, which in a user namespace is not the machine's.
    mkdirSync(join(root, 'containers'), { recursive: true });
    chmodSync(join(root, 'containers'), 0o711);
  }

  sandbox(id: string): string {
    return join(this.root, 'sandboxes', id);
  }

  container(id: string): string {
    return join(this.root, 'containers', id);
  }

  /** The directory of the OCI runtime's state. */
  get runtimeRoot(): string {
    return join(this.root, 'oci');
  }

  /** Written by the supervisor when its container has ended: the exit code. */
  exit(id: string): string {
    return join(this.root, 'exits', id);
  }

  sandboxes(): SandboxRecord[] {
    return this.#read<SandboxRecord>('sandboxes');
  }

  containers(): ContainerRecord[] {
    return this.#read<ContainerRecord>('containers');
  }

  /** Parent cgroups of pods: removed with the node. */
  addCgroupParent(path: string): void {
    this.#cgroupParents ??= new Set(this.cgroupParents());
    if (this.#cgroupParents.has(path)) return;
    this.#cgroupParents.add(path);
    appendFileSync(join(this.root, 'cgroup-parents'), `${path}\n`);
  }

  cgroupParents(): readonly string[] {
    const path = join(this.root, 'cgroup-parents');
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
  }

  /** Drops those that no longer exist. */
  keepCgroupParents(exists: (path: string) => boolean): void {
    const kept = this.cgroupParents().filter(exists);
    writeFileSync(join(this.root, 'cgroup-parents'), kept.map((path) => `${path}\n`).join(''));
    this.#cgroupParents = new Set(kept);
  }

  save(directory: string, record: SandboxRecord | ContainerRecord): void {
    const path = join(directory, 'state.json');
    writeFileSync(`${path}.new`, JSON.stringify(record));
    renameSync(`${path}.new`, path);
  }

  /** An entry without a state file is incomplete, and removed. */
  #read<Record>(kind: 'sandboxes' | 'containers'): Record[] {
    const records: Record[] = [];
    for (const id of readdirSync(join(this.root, kind))) {
      const path = join(this.root, kind, id, 'state.json');
      if (existsSync(path)) records.push(JSON.parse(readFileSync(path, 'utf8')));
      else if (kind === 'containers') rmSync(join(this.root, kind, id), { recursive: true, force: true });
    }
    return records;
  }
}
