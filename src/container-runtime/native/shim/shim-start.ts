// Starts a container's shell and waits until the OCI runtime reports that the command runs, or the error.

import { spawn } from 'node:child_process';
import { existsSync, type FSWatcher, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../machinery/time/clock.ts';
import { hostEnvironment, startTimeOf } from '../../processes/process.ts';
import { bundleFiles, startProblem, superviseWords } from '../containers/bundle.ts';
import type { OciSpec } from '../oci/oci-types.ts';

export type Started = { readonly pid: number } | { readonly problem: string };

/** A shell that another process began may end without an event. */
const sometimesMs = 1000;

/** `piped` is called once the container's pipes are there. A start that a killed keeper began is waited for. */
export async function startSupervised(directory: string, exitFile: string, piped: () => void): Promise<Started> {
  const changes = watch(directory, { persistent: true });
  try {
    const begun = supervisorOf(directory);
    const failed = begun === undefined ? launch(directory) : undefined;
    let open = false;
    for (;;) {
      const next = change(changes, failed);
      // The files have the state, an event only means a change.
      if (!open && existsSync(join(directory, bundleFiles.lastPipe))) {
        open = true;
        piped();
      }
      const pid = numberIn(join(directory, bundleFiles.pid));
      if (pid > 0) return { pid };
      const gone = begun !== undefined && !startTimeOf(begun);
      if (gone || existsSync(exitFile)) return { problem: startProblem(directory) };
      const problem = await next;
      if (problem) return { problem };
    }
  } finally {
    changes.close();
  }
}

/** Of a shell that was started before. */
function supervisorOf(directory: string): number | undefined {
  const pid = numberIn(join(directory, bundleFiles.supervisor));
  return pid > 0 && startTimeOf(pid) ? pid : undefined;
}

const numberIn = (path: string): number => (existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0);

/** Resolves with the reason why the shell ended; it runs until the container's output has been read. */
function launch(directory: string): Promise<string> {
  const spec: OciSpec = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'));
  const [program, ...words] = superviseWords(spec);
  const child = spawn(program, words, { cwd: directory, detached: true, env: hostEnvironment, stdio: 'ignore' });
  child.unref();
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', () => resolve(startProblem(directory)));
  });
}

/** The next event in the directory, the shell's end, or a while. */
function change(changes: FSWatcher, failed?: Promise<string>): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = systemClock.after(sometimesMs, () => resolve(undefined));
    changes.once('change', () => {
      timer.cancel();
      resolve(undefined);
    });
    void failed?.then((problem) => {
      timer.cancel();
      resolve(problem);
    });
  });
}
