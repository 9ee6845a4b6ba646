// Detects the exit of a container whose output another container of the pod may hold open: in a shared process
// namespace, /proc/PID/fd/1 suffices for that. runc returns only after all its pipes are closed; its log shows at once
// that the first process has ended, and its exit code. crun does not wait.

import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Clock, Timer } from '../../../machinery/time/clock.ts';
import { signal } from '../../processes/process.ts';
import type { ContainerRecord, StateDirectory } from '../state.ts';
import { bundleFiles } from './bundle.ts';

/** Time to drain the container's last output, as in containerd. */
const drainMs = 200;

export class InitExits {
  readonly #state: StateDirectory;
  readonly #clock: Clock;
  readonly #watched = new Map<string, { readonly watcher: fs.FSWatcher; timer?: Timer }>();

  constructor(state: StateDirectory, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
  }

  /** Watches a running container, if its bundle shares processes. */
  watch(record: ContainerRecord): void {
    const directory = this.#state.container(record.id);
    const log = join(directory, bundleFiles.runtimeLog);
    if (
      record.runtime !== 'runc' ||
      this.#watched.has(record.id) ||
      !fs.existsSync(join(directory, bundleFiles.shared))
    )
      return;
    const watched: { watcher: fs.FSWatcher; timer?: Timer } = {
      watcher: fs.watch(log, { persistent: false }, () => look()),
    };
    const look = () => {
      const code = record.pid === undefined ? undefined : exitCodeIn(log, record.pid);
      if (code === undefined || watched.timer) return;
      watched.timer = this.#clock.after(drainMs, () => this.#end(record, code));
    };
    watched.watcher.on('error', () => this.forget(record.id));
    this.#watched.set(record.id, watched);
    look();
  }

  forget(id: string): void {
    this.#watched.get(id)?.watcher.close();
    this.#watched.get(id)?.timer?.cancel();
    this.#watched.delete(id);
  }

  close(): void {
    for (const id of [...this.#watched.keys()]) this.forget(id);
  }

  /** Ends runc; the container's shell then takes the exit code from the file. */
  #end({ id, supervisorPid }: ContainerRecord, code: number): void {
    const directory = this.#state.container(id);
    if (fs.existsSync(this.#state.exit(id)) || !fs.existsSync(directory)) return;
    fs.writeFileSync(join(directory, `${bundleFiles.code}.new`), `${code}\n`);
    fs.renameSync(join(directory, `${bundleFiles.code}.new`), join(directory, bundleFiles.code));
    if (supervisorPid === undefined) return;
    for (const child of childrenOf(supervisorPid)) signal(child, 'SIGKILL');
  }
}

function exitCodeIn(log: string, pid: number): number | undefined {
  for (const line of fs.readFileSync(log, 'utf8').split('\n').reverse()) {
    if (!line.includes('"process exited"')) continue;
    const entry = JSON.parse(line);
    if (entry.pid === pid) return entry.status;
  }
  return undefined;
}

const childrenOf = (pid: number): number[] => {
  try {
    return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return []; // it has ended
  }
};
