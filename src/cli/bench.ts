import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { checkout } from './machine/tools.ts';
import { CliError } from './options/options.ts';

/** Runs the benchmarks, with the Node that Coracle runs on; ends with their exit code. */
export function bench(args: readonly string[]): void {
  const { status, error } = spawnSync(process.execPath, [path.join(checkout, 'bench', 'bench.ts'), ...args], {
    stdio: 'inherit',
  });
  if (error) throw new CliError(`cannot run the benchmarks: ${error.message}`);
  process.exitCode = status ?? 1;
}
