// The process of an etcd member: launched, restarted when it ends, and stopped by its id.

import { type ChildProcess, spawn } from 'node:child_process';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { identityOf, isRunning, readIdentity } from '../process/process-identity.ts';
import { writeWhole } from '../write-whole.ts';
import { lastWords } from './last-words.ts';

interface EtcdCommand {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly log: string;
  /** Names the process. */
  readonly runFile: string;
}

interface ProcessContext {
  readonly clock: Clock;
  readonly logger: Logger;
}

const firstBackoffMs = 200;
const longestBackoffMs = 10_000;
/** A run of this length resets the back-off. */
const steadyMs = 60_000;
/** A member that leads hands over first. */
const stopMs = 10_000;
const killMs = 5_000;
const pollMs = 20;
const longestLogBytes = 10 * 2 ** 20;

export class EtcdProcess {
  readonly #context: ProcessContext;
  readonly #command: EtcdCommand;
  readonly #stopping = new AbortController();
  readonly #supervised: Promise<void>;
  #child: ChildProcess | undefined;
  #restarts = 0;
  #problem: string | undefined;
  /** Resolves with the reason when the process ends for the first time. */
  readonly firstEnd: Promise<string>;

  private constructor(context: ProcessContext, command: EtcdCommand) {
    this.#context = context;
    this.#command = command;
    const first = Promise.withResolvers<string>();
    this.firstEnd = first.promise;
    this.#supervised = this.#supervise(first.resolve);
  }

  /** A former process of the same run file has ended when this resolves. */
  static async start(context: ProcessContext, command: EtcdCommand): Promise<EtcdProcess> {
    await endFormerEtcd(command.runFile, context.clock);
    return new EtcdProcess(context, command);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Why no process runs; undefined while one runs. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Resolves when the process has exited; it is killed on timeout. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#child?.kill('SIGTERM');
    const kill = this.#context.clock.after(stopMs, () => this.#child?.kill('SIGKILL'));
    await this.#supervised;
    kill.cancel();
  }

  async #supervise(onFirstEnd: (why: string) => void): Promise<void> {
    const { clock, logger } = this.#context;
    const { signal } = this.#stopping;
    let backoffMs = firstBackoffMs;
    while (!signal.aborted) {
      const beginMs = clock.monotonic();
      const why = await this.#run().catch((error: Error) => error.message);
      onFirstEnd(why);
      if (signal.aborted) break;
      if (clock.monotonic() - beginMs > steadyMs) backoffMs = firstBackoffMs;
      this.#problem = `etcd ended (${why}); it is started again`;
      logger.error('etcd ended', { why, nextStartMs: backoffMs });
      await clock.sleep(backoffMs, signal).catch(() => {});
      backoffMs = Math.min(2 * backoffMs, longestBackoffMs);
      this.#restarts++;
    }
    await rm(this.#command.runFile, { force: true });
  }

  /** One run of the program. Resolves with the reason of its end. */
  async #run(): Promise<string> {
    const { program, log, runFile } = this.#command;
    await shortenLog(log);
    // A file and no pipe: etcd outlives a killed main process, until the next one ends it.
    const output = await open(log, 'a', 0o600);
    const from = (await output.stat()).size;
    try {
      const child = spawn(program, this.#command.arguments, {
        stdio: ['ignore', output.fd, output.fd],
        env: withoutEtcdVariables(process.env),
        cwd: '/',
        // Signals of the terminal end Coracle, which then stops etcd last.
        detached: true,
      });
      const ended = endOf(child);
      this.#child = child;
      if (child.pid !== undefined) await this.#record(child.pid, runFile, child);
      if (this.#stopping.signal.aborted) child.kill('SIGTERM');
      else this.#problem = undefined;
      const end = await ended;
      const words = lastWords(await readFile(log, 'utf8').then((text) => text.slice(from)));
      return words ? `${end}: ${words}` : end;
    } finally {
      this.#child = undefined;
      await output.close();
    }
  }

  async #record(pid: number, runFile: string, child: ChildProcess): Promise<void> {
    try {
      await writeWhole(runFile, `${JSON.stringify(await identityOf(pid))}\n`);
    } catch (error) {
      child.kill('SIGKILL'); // without the file a later start could not find it
      throw error;
    }
  }
}

const endOf = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ? `killed by ${signal}` : `exit code ${code}`));
    child.once('error', (error) => resolve(error.message));
  });

/** etcd takes every flag from the environment, too. */
const withoutEtcdVariables = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('ETCD_')));

async function shortenLog(log: string): Promise<void> {
  const { size } = await stat(log).catch(() => ({ size: 0 }));
  if (size > longestLogBytes) await rename(log, `${log}.1`);
}

/** Ends the process that outlived a killed main process; resolves when it has ended. */
export async function endFormerEtcd(runFile: string, clock: Clock): Promise<void> {
  const former = await readIdentity(runFile);
  if (!former) return;
  const beginMs = clock.monotonic();
  for (let signal: NodeJS.Signals = 'SIGTERM'; await isRunning(former); ) {
    try {
      process.kill(former.pid, signal);
    } catch {} // it has just ended
    if (clock.monotonic() - beginMs > killMs) signal = 'SIGKILL';
    await clock.sleep(pollMs);
  }
  await rm(runFile, { force: true });
}
