// Launches the process of a cluster's nodes, and ends one that outlived its main process.

import { type ChildProcess, spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import type { Clock } from '../../machinery/time/clock.ts';
import type { DataDirectory } from '../data-directory.ts';
import { identityOf, isRunning, readIdentity } from '../process/process-identity.ts';
import { writeWhole } from '../write-whole.ts';
import type { NodeProgram } from './node-process.ts';

const pollMs = 5;

/** `command`: the program and its arguments. Its standard output is this process's. */
export async function launchNodes(
  command: readonly string[],
  directory: DataDirectory,
  clock: Clock,
): Promise<NodeProgram> {
  await endFormerNodes(directory, clock);
  const [program, ...args] = command;
  const child = spawn(program, [...args, '--data-dir', directory.root], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    cwd: '/',
    // glibc has an arena per thread: two use less memory.
    env: { MALLOC_ARENA_MAX: '2', ...process.env },
  });
  const launched = programOf(child);
  try {
    // The child waits for its configuration, so it has done nothing when this file names it.
    if (child.pid !== undefined)
      await writeWhole(directory.nodesRunFile, `${JSON.stringify(await identityOf(child.pid))}\n`);
    return launched;
  } catch (error) {
    launched.kill(); // without the file a later start could not find it
    await launched.ended;
    throw error;
  }
}

function programOf(child: ChildProcess): NodeProgram {
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ? `killed by ${signal}` : `exit code ${code}`));
    child.once('error', (error) => resolve(error.message));
  });
  return {
    pid: child.pid ?? 0,
    ended,
    // A message to an ended process is lost: `ended` reports the end.
    send: (message) => void (child.connected && child.send(message, () => {})),
    onMessage: (handler) => void child.on('message', handler),
    kill: () => void child.kill('SIGKILL'),
  };
}

/** A process of nodes ends when its main process has ended; resolves when it has. One that hangs is killed. */
export async function endFormerNodes(directory: DataDirectory, clock: Clock): Promise<void> {
  const former = await readIdentity(directory.nodesRunFile);
  if (!former) return;
  while (await isRunning(former)) {
    try {
      process.kill(former.pid, 'SIGKILL');
    } catch {} // it has just ended
    await clock.sleep(pollMs);
  }
  await rm(directory.nodesRunFile, { force: true });
}
