// The main process's side of the nodes' process: launches, calls, restarts and stops it.

import type { PartContext } from '../context.ts';
import type { OnStep, PartStatus } from '../part-sequence.ts';
import { within } from '../within.ts';
import type { FromNodeProcess, NodeProcessConfig, ToNodeProcess } from './messages.ts';

/** A launched process that waits for the message `start`. */
export interface NodeProgram {
  readonly pid: number;
  /** Resolves with the reason once the process has ended, such as "killed by SIGKILL". */
  readonly ended: Promise<string>;
  send(message: ToNodeProcess): void;
  onMessage(handler: (message: FromNodeProcess) => void): void;
  kill(): void;
}

/** Launches the program. At most one runs for a data directory: a former one has ended when this resolves. */
type LaunchNodes = () => Promise<NodeProgram>;

/** The nodes' parts did not start. `code` and `port` are those of a system error. */
class NodeStartError extends Error {
  override readonly name = 'NodeStartError';
  readonly code: string | undefined;
  readonly port: number | undefined;
  constructor(message: string, code?: string, port?: number) {
    super(message);
    this.code = code;
    this.port = port;
  }
}

export interface NodeProcessStatus {
  readonly parts: readonly PartStatus[];
  readonly process?: { readonly pid: number; readonly memoryBytes: number };
}

const firstBackoffMs = 1_000;
/** A node is missed after 40 s without a report. */
const longestBackoffMs = 10_000;
/** A run of this length resets the back-off. */
const steadyMs = 60_000;
const answerMs = 5_000;
const stopMs = 25_000;

export class NodeProcess {
  readonly #context: Pick<PartContext, 'clock' | 'logger'>;
  readonly #launch: LaunchNodes;
  readonly #onStep: OnStep;
  readonly #stopping = new AbortController();
  #program: Promise<NodeProgram>;
  #supervising: Promise<void> | undefined;
  /** Why no process runs; undefined while one runs. */
  #problem: string | undefined;
  #restarts = 0;
  /** As they were after the last start. */
  #parts: readonly PartStatus[] = [];
  #nextId = 0;
  readonly #asked = new Map<number, (status: Extract<FromNodeProcess, { type: 'status' }>) => void>();

  /** Launches the program at once, so that its code loads while the API server starts. */
  constructor(context: Pick<PartContext, 'clock' | 'logger'>, launch: LaunchNodes, onStep: OnStep = () => {}) {
    this.#context = context;
    this.#launch = launch;
    this.#onStep = onStep;
    this.#program = launch();
    this.#program.catch(() => {}); // start() reports it
  }

  /** Resolves when the parts run; from then on a process that ends is replaced, with the
   * configuration of that time. Rejects with NodeStartError. */
  async start(configOf: () => NodeProcessConfig): Promise<void> {
    await this.#startOnce(configOf(), this.#onStep);
    this.#supervising = this.#supervise(configOf);
  }

  /** Ends the process: the next one has the present configuration. Containers continue, as after a crash. */
  async replace(): Promise<void> {
    (await this.#program.catch(() => undefined))?.kill();
  }

  async status(): Promise<NodeProcessStatus> {
    if (this.#problem !== undefined) return { parts: this.#withProblem(this.#problem) };
    const program = await this.#program;
    const answer = await this.#ask(program);
    if (!answer) return { parts: this.#withProblem(`the process ${program.pid} does not answer`) };
    const { parts, memoryBytes } = answer;
    const current = this.#parts.map(
      (started) => parts.find(({ name }) => name === started.name) ?? { ...started, problem: 'it has stopped' },
    );
    return {
      parts: current.map((part) => ({ ...part, ...(this.#restarts > 0 && { restarts: this.#restarts }) })),
      process: { pid: program.pid, memoryBytes },
    };
  }

  /** Resolves when the process has exited; it is killed on timeout. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const program = await this.#program.catch(() => undefined);
    program?.send({ type: 'stop' });
    const inTime = await within(this.#context.clock, stopMs, program?.ended ?? Promise.resolve(''));
    if (inTime === undefined) {
      this.#context.logger.error('nodes do not stop, killing their process', { pid: program?.pid });
      program?.kill();
      await program?.ended;
    }
    await this.#supervising;
  }

  async #startOnce(config: NodeProcessConfig, onStep: OnStep): Promise<void> {
    const program = await this.#program;
    const ready = new Promise<void>((resolve, reject) => {
      program.onMessage((message) => {
        if (message.type === 'step') onStep(message.name, message.ms);
        else if (message.type === 'ready') resolve();
        else if (message.type === 'status') this.#asked.get(message.id)?.(message);
        else reject(new NodeStartError(message.message, message.code, message.port));
      });
      program.ended.then((why) => reject(new NodeStartError(`the process of the nodes ended: ${why}`)));
    });
    program.send({ type: 'start', config });
    await ready;
    this.#parts = (await this.#ask(program))?.parts ?? [];
  }

  async #supervise(configOf: () => NodeProcessConfig): Promise<void> {
    const { clock, logger } = this.#context;
    const { signal } = this.#stopping;
    let backoffMs = firstBackoffMs;
    let failure: string | undefined;
    while (!signal.aborted) {
      const beginMs = clock.monotonic();
      const program = await this.#program.catch((error) => String(error.message));
      const why = failure ?? (typeof program === 'string' ? program : await program.ended);
      if (typeof program !== 'string') await program.ended;
      if (signal.aborted) return;
      if (clock.monotonic() - beginMs > steadyMs) backoffMs = firstBackoffMs;
      this.#problem = `the process of the nodes ended (${why}); it is started again`;
      logger.error('process of the nodes ended', { why, nextStartMs: backoffMs });
      await clock.sleep(backoffMs, signal).catch(() => {});
      if (signal.aborted) return;
      backoffMs = Math.min(2 * backoffMs, longestBackoffMs);
      this.#restarts++;
      this.#program = this.#launch();
      await this.#startOnce(configOf(), () => {}).then(
        () => {
          failure = undefined;
          this.#problem = undefined;
          logger.info('process of the nodes restarted', { restarts: this.#restarts });
        },
        (error) => {
          failure = String(error.message);
        },
      );
    }
  }

  async #ask(program: NodeProgram): Promise<Extract<FromNodeProcess, { type: 'status' }> | undefined> {
    const id = this.#nextId++;
    const answer = new Promise<Extract<FromNodeProcess, { type: 'status' }>>((resolve) => this.#asked.set(id, resolve));
    program.send({ type: 'status', id });
    const over = program.ended.then(() => undefined);
    return within(this.#context.clock, answerMs, Promise.race([answer, over])).finally(() => this.#asked.delete(id));
  }

  #withProblem(problem: string): PartStatus[] {
    return this.#parts.map((part) => ({ ...part, restarts: this.#restarts, problem }));
  }
}
