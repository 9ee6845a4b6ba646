// The program of a built-in image: a part of the process of the node.

import type { ContainerConfig, SandboxConfig } from '../interface.ts';

export interface BuiltInProgram {
  /** The only reference of its image, such as coracle.local/kube-proxy:built-in. */
  readonly image: string;
  /** Of the program: another version has another digest. */
  readonly version: string;
  /** Rejects if it cannot start: the container then ends with exit code 1, and its log has the error. */
  start(run: BuiltInRun): Promise<RunningProgram>;
}

export interface RunningProgram {
  stop(): Promise<void>;
}

/** One run of a container. */
export interface BuiltInRun extends Pick<ContainerConfig, 'args' | 'mounts'> {
  readonly pod: Pick<SandboxConfig, 'namespace' | 'name' | 'uid'>;
  /** Aborts when the container is to stop, also while the program starts. */
  readonly signal: AbortSignal;
  /** Writes a line to the container's log. */
  log(line: string, stream?: 'stdout' | 'stderr'): void;
  /** The program cannot go on: the container ends with exit code 1. */
  fail(error: Error): void;
}

export interface BuiltInUsage {
  readonly cpuNanoseconds: number;
  readonly memoryBytes: number;
}
