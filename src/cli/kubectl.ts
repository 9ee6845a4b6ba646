import { spawn } from 'node:child_process';
import path from 'node:path';
import { isExecutable } from './machine/executable.ts';
import { toolsDirectory } from './machine/tools.ts';
import { CliError, type ClusterOptions, directoryOf } from './options/options.ts';

/** Runs kubectl with the arguments and this cluster's kubeconfig; exits with its exit code. */
export async function kubectl(args: readonly string[], options: ClusterOptions): Promise<void> {
  const program = findKubectl();
  if (!program)
    throw new CliError(
      'found no kubectl on PATH: install it (https://kubernetes.io/docs/tasks/tools/), or run "./coracle test", which brings one',
    );
  const child = spawn(program, args, {
    stdio: 'inherit',
    env: { ...process.env, KUBECONFIG: directoryOf(options).kubeconfig },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(signal ? 1 : (code ?? 1)));
  });
}

function findKubectl(): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(path.delimiter), toolsDirectory];
  return directories.map((directory) => path.join(directory, 'kubectl')).find(isExecutable);
}
