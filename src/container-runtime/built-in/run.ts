// One run of a program: its log, and its end.

import type { Logger } from '../../machinery/logger.ts';
import type { Random } from '../../machinery/random.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { ContainerConfig, SandboxConfig } from '../interface.ts';
import { LogFile } from './log-file.ts';
import type { BuiltInProgram, BuiltInUsage, RunningProgram } from './program.ts';

export interface RunOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The share of a program in the process: its CPU time so far, and its memory. */
  usage(): BuiltInUsage;
  /** Grace of programs when the process ends. */
  readonly closeSeconds: number;
}

interface RunEnd {
  readonly exitCode: number;
  readonly reason: 'Completed' | 'Error';
}

interface RunInputs {
  readonly program: BuiltInProgram;
  readonly config: ContainerConfig;
  readonly pod: Pick<SandboxConfig, 'namespace' | 'name' | 'uid'>;
  readonly logPath: string;
}

/** A slower start goes on after the container is reported to run. */
const usualStartMs = 1_000;

export class Run {
  /** Resolves when the program runs or has failed, or after a while. */
  readonly started: Promise<void>;
  readonly ended: Promise<RunEnd>;
  readonly #options: RunOptions;
  readonly #log: LogFile;
  readonly #stopping = new AbortController();
  readonly #starting: Promise<RunningProgram | undefined>;
  readonly #cpuBefore: number;
  #end: (end: RunEnd) => void = () => {};
  #stopped: Promise<void> | undefined;

  constructor({ program, config, pod, logPath }: RunInputs, options: RunOptions) {
    this.#options = options;
    this.#log = new LogFile(logPath, options.clock);
    this.#cpuBefore = options.usage().cpuNanoseconds;
    this.ended = new Promise((resolve) => {
      this.#end = (end) => {
        this.#stopping.abort();
        this.#log.close();
        resolve(end);
      };
    });
    this.#starting = this.#start(program, config, pod);
    const waiting = new AbortController();
    const late = options.clock.sleep(usualStartMs, waiting.signal).catch(() => {});
    this.started = Promise.race([this.#starting.then(() => {}), late]).finally(() => waiting.abort());
  }

  /** Resolves when the program has stopped, or when the grace is over: then its end comes in the background. */
  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  reopenLog(): void {
    this.#log.reopen();
  }

  usage(): BuiltInUsage {
    const { cpuNanoseconds, memoryBytes } = this.#options.usage();
    return { cpuNanoseconds: Math.max(0, cpuNanoseconds - this.#cpuBefore), memoryBytes };
  }

  async #start(
    program: BuiltInProgram,
    { args, mounts }: ContainerConfig,
    pod: RunInputs['pod'],
  ): Promise<RunningProgram | undefined> {
    try {
      return await program.start({
        ...{ args, mounts, pod, signal: this.#stopping.signal },
        log: (line, stream = 'stderr') => this.#log.write(line, stream),
        fail: (error) => this.#fail(error),
      });
    } catch (error) {
      this.#fail(error as Error);
      return undefined;
    }
  }

  #fail(error: Error): void {
    if (this.#stopping.signal.aborted) return;
    this.#log.write(error.message, 'stderr');
    this.#end({ exitCode: 1, reason: 'Error' });
    void this.#starting.then((program) => program?.stop()).catch((fault) => this.#report(fault));
  }

  async #stop(graceMs: number): Promise<void> {
    if (this.#stopping.signal.aborted) return; // it has failed
    this.#stopping.abort();
    const waiting = new AbortController();
    const stopped = this.#starting
      .then((program) => program?.stop())
      .then(
        () => true,
        (error) => {
          this.#report(error);
          return true;
        },
      );
    const late = this.#options.clock.sleep(graceMs, waiting.signal).then(
      () => false,
      () => false,
    );
    const isInTime = await Promise.race([stopped, late]).finally(() => waiting.abort());
    this.#end(isInTime ? { exitCode: 0, reason: 'Completed' } : { exitCode: 137, reason: 'Error' });
  }

  #report(error: unknown): void {
    this.#options.logger.error('a part of the node did not stop cleanly', { error: String(error) });
  }
}
