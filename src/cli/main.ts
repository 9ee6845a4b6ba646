// The command line. One file a command; each is loaded when it is used.

import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { version } from '../cluster/version.ts';
import { addCommands } from './commands.ts';
import { CliError, red } from './options/options.ts';
import { printable } from './printable.ts';

// Cached compilation from an earlier run saves a sixth of the start time; without a writable cache it is skipped.
enableCompileCache(join(import.meta.dirname, '..', '.cache', 'compile'));

const program = new Command('coracle')
  .description('All of Kubernetes 1.36 in one program.')
  .version(version, '-v, --version', 'print the version')
  .showHelpAfterError('(see --help)')
  .enablePositionalOptions()
  .exitOverride();
addCommands(program);

// The reader of the output may have seen enough (`coracle status | head -1`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.stderr.write(`${red('error:')} cannot write the output: ${error.message}\n`);
  process.exit(error.code === 'EPIPE' ? (process.exitCode ?? 0) : 1);
});

/** Exit codes: 0 success, 1 failure, 2 usage error, 3 the cluster does not run. */
try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error as Error);
}

function exitCodeOf(error: Error): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // commander has printed it
  if (error instanceof CliError) {
    if (error.message) process.stderr.write(`${red('error:')} ${printable(error.message)}\n`);
    return error.exitCode;
  }
  process.stderr.write(
    `${red('error:')} ${printable(String(process.env['CORACLE_DEBUG'] ? error.stack : error.message))}\n`,
  );
  return 1;
}
