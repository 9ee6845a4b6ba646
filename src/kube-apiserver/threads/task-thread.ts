// A worker thread: started on demand, one task at a time, ended when idle. A task above the limits of time or memory
// ends the thread and fails only its request.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type ApiError, internalError, timeout, tooLarge } from '../../api/api.ts';
import { mostNested } from '../../machinery/text/depth.ts';
import { systemClock, type Timer } from '../../machinery/time/clock.ts';

interface Job<Task, Answer> {
  readonly task: Task;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: ApiError) => void;
}

export interface Limits {
  readonly mostMs: number;
  readonly idleMs: number;
  readonly megabytes: number;
}

const usual: Limits = { mostMs: 10_000, idleMs: 30_000, megabytes: 160 };
/** Values may be nested thousands deep. */
const stackSizeMb = 16;

/** Beside this file in the bundle; the source in a checkout. */
function pathOf(program: string): string {
  const paths = ['ts', 'js'].map((ending) => fileURLToPath(new URL(`./${program}.${ending}`, import.meta.url)));
  return paths.find((path) => existsSync(path)) ?? paths[1];
}

/** A thread's work takes real time, also where the cluster's clock is a test's. */
export class TaskThread<Task, Answer> {
  readonly #program: string;
  readonly #limits: Limits;
  readonly #waiting: Job<Task, Answer>[] = [];
  #current: Job<Task, Answer> | undefined;
  #worker: Worker | undefined;
  #timer: Timer | undefined;

  /** `program` is the name of its file, without the ending. */
  constructor(program: string, limits: Partial<Limits> = {}) {
    this.#program = program;
    this.#limits = { ...usual, ...limits };
  }

  run(task: Task): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#current) return;
    this.#timer?.cancel();
    const { mostMs, idleMs } = this.#limits;
    this.#current = this.#waiting.shift();
    if (!this.#current) {
      this.#worker?.unref();
      this.#timer = systemClock.after(idleMs, () => this.#end(), { background: true });
      return;
    }
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#worker.postMessage(this.#current.task);
    const late = () => this.#fail(timeout('request did not complete within the allotted timeout'));
    this.#timer = systemClock.after(mostMs, late, { background: true });
  }

  #start(): Worker {
    const worker = new Worker(pathOf(this.#program), {
      execArgv: [],
      workerData: { mostNested: mostNested() },
      resourceLimits: { maxOldGenerationSizeMb: this.#limits.megabytes, maxYoungGenerationSizeMb: 4, stackSizeMb },
    });
    const ended = (error: ApiError) => {
      if (this.#worker === worker) this.#fail(error);
    };
    worker.on('message', (answer: Answer) => {
      const done = this.#current;
      this.#current = undefined;
      done?.resolve(answer);
      this.#next();
    });
    worker.on('error', (error: NodeJS.ErrnoException) =>
      ended(
        error.code === 'ERR_WORKER_OUT_OF_MEMORY'
          ? tooLarge('Request entity too large: it takes more memory than there is for one request')
          : internalError(error.message),
      ),
    );
    worker.on('exit', () => ended(internalError('the thread that works on large requests ended')));
    return worker;
  }

  /** The text that is being read has its error; the next one gets a new thread. */
  #fail(error: ApiError): void {
    this.#end();
    const failed = this.#current;
    this.#current = undefined;
    failed?.reject(error);
    this.#next();
  }

  #end(): void {
    this.#timer?.cancel();
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
  }
}
