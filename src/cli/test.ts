// Sets up the test tools, then runs all checks and tests.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setUpTestTools } from './machine/test-tools.ts';
import { checkout, toolsDirectory } from './machine/tools.ts';
import { bold, CliError, print, seconds } from './options/options.ts';

interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

const checks: readonly Step[] = [
  { name: 'type check', command: ['tsc', '-p', 'tsconfig.json'] },
  { name: 'type check of pure rooms', command: ['tsc', '-p', 'tsconfig.pure.json'] },
  { name: 'type check of the console', command: ['tsc', '-p', 'tsconfig.web.json'] },
  { name: 'lint and format', command: ['biome', 'ci', '--error-on-warnings', '.'] },
];

/** A test that fails runs once more, as machines are shared and noisy; one that passes only then is named at the end. */
const reporters = ['default', 'json', path.join(checkout, 'test', 'report-flaky.ts')].map(
  (name) => `--reporter=${name}`,
);

/** The tests that do more in a long run. */
const longer = ['test/long', 'test/e2e', 'test/envtest', 'test/turns', 'src/cluster', 'src/kube-proxy', 'src/store'];

/**
 * With arguments, runs only the named test files; with `long`, those that do more then, for minutes instead of seconds. Exit
 * code 1 if one failed.
 */
export async function test(given: readonly string[], { long }: { readonly long?: boolean } = {}): Promise<void> {
  await setUpTestTools();
  const args = long && given.length === 0 ? longer : given;
  if (long) process.env['CORACLE_TEST_LONG'] = '1';
  const failed = args.length > 0 ? [] : checks.filter((step) => !run(step)).map((step) => step.name);
  const report = path.join(checkout, '.cache', 'test-report.json');
  const tests = {
    name: 'tests',
    command: ['vitest', 'run', ...reporters, `--outputFile.json=${report}`, '--retry=1', ...args],
  };
  if (!run(tests)) failed.push('tests');
  printTotals(report);
  if (failed.length > 0) throw new CliError(`failed: ${failed.join(', ')}`);
}

function run({ name, command: [program, ...args] }: Step): boolean {
  const beginMs = performance.now();
  print(`\n${bold(name)}`);
  const bin = path.join(checkout, 'node_modules', '.bin');
  const search = [bin, toolsDirectory, process.env['PATH'], '/usr/sbin', '/sbin'].join(path.delimiter);
  const { status, error } = spawnSync(path.join(bin, program), args, {
    cwd: checkout,
    stdio: 'inherit',
    env: { ...process.env, PATH: search },
  });
  if (error) throw new CliError(`cannot run ${program}: ${error.message}`);
  print(`${name}: ${status === 0 ? 'ok' : 'FAILED'} (${seconds(performance.now() - beginMs)})`);
  return status === 0;
}

function printTotals(report: string): void {
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'));
  print(
    `\n${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped (they need --long, or programs)`,
  );
}
