// The programs that a test environment starts: kube-apiserver and etcd, which are Coracle, and kubectl.

import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { apiServerHelp } from '../cluster/api-server/api-server.ts';
import { isExecutable } from './machine/executable.ts';
import { checkout, toolsDirectory } from './machine/tools.ts';
import { CliError, print } from './options/options.ts';
import { parentVariable } from './running/until-ended.ts';

interface EnvtestOptions {
  readonly printAssets?: boolean;
  readonly dir?: string;
  readonly output: 'text' | 'json';
}

/** As --help of etcd says it; environments look for flags here. */
const etcdHelp = `Stands in for etcd: answers health checks, and keeps the data of Coracle's kube-apiserver.

  --advertise-client-urls 'http://localhost:2379'
  --data-dir 'default.etcd'
  --listen-client-urls 'http://localhost:2379'
  --listen-peer-urls 'http://localhost:2380'
  --unsafe-no-fsync 'false'

Other flags of etcd are accepted and have no effect.
`;

export function envtest(options: EnvtestOptions): void {
  const directory = path.resolve(options.dir ?? path.join(checkout, '.cache', 'envtest'));
  try {
    mkdirSync(directory, { recursive: true });
    writeProgram(
      directory,
      'kube-apiserver',
      apiServerHelp(),
      '--min-semi-space-size=16 --max-semi-space-size=16 $stack',
    );
    writeProgram(directory, 'etcd', etcdHelp, '--max-semi-space-size=1');
    linkKubectl(directory);
  } catch (error) {
    throw new CliError(`cannot make the programs in ${directory}: ${(error as Error).message}: choose another --dir`);
  }
  if (options.output === 'json') print(JSON.stringify({ assets: directory }));
  else if (options.printAssets) print(directory);
  else print(`export KUBEBUILDER_ASSETS=${quoted(directory)}`);
}

const quoted = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/**
 * A shell script that executes the program. Environments run --help before each start: the shell prints it, which is
 * faster. The script's parent is the program's parent.
 */
function writeProgram(directory: string, name: string, help: string, nodeFlags: string): void {
  const helpFile = path.join(directory, `.${name}.help`);
  replace(helpFile, help, 0o644);
  const program = path.join(checkout, 'dist', `${name}.js`);
  const script = `#!/bin/sh
case "$1" in --help|-h) exec cat ${quoted(helpFile)} ;; esac
${parentVariable}=$PPID; export ${parentVariable}
# Objects may be nested thousands deep: more stack, where the system's limit allows it.
stack=; limit=$(ulimit -s 2>/dev/null || echo 0)
if [ "$limit" = unlimited ] || [ "$limit" -ge 8192 ] 2>/dev/null; then stack=--stack-size=6000; fi
exec ${quoted(process.execPath)} ${nodeFlags} ${quoted(program)} "$@"
`;
  replace(path.join(directory, name), script, 0o755);
}

/** Tests may start the former file at this moment. */
function replace(file: string, text: string, mode: number): void {
  writeFileSync(`${file}.${process.pid}`, text);
  chmodSync(`${file}.${process.pid}`, mode);
  renameSync(`${file}.${process.pid}`, file);
}

/** Without a kubectl on this machine there is none: few tests use it. */
function linkKubectl(directory: string): void {
  const found = [toolsDirectory, ...(process.env['PATH'] ?? '').split(path.delimiter)]
    .filter((each) => each !== '' && path.resolve(each) !== directory)
    .map((each) => path.resolve(each, 'kubectl'))
    .find(isExecutable);
  const link = path.join(directory, 'kubectl');
  rmSync(link, { force: true });
  if (found) symlinkSync(found, link);
}
