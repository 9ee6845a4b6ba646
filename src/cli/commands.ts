// All commands with their options. Each is implemented in the file of its name.

import { type Command, Option } from 'commander';
import { withEncryption, withPlace, withSecrets } from './backup-options.ts';
import { withCluster, withOutput } from './options.ts';
import { withUpOptions } from './up-options.ts';

export function addCommands(program: Command): void {
  addUp(program);
  addKubeApiserver(program);
  addEnvtest(program);
  withCluster(program.command('down').description('stop a cluster and its pods; its data stays'))
    .option('--delete', 'remove its data directory too')
    .action(async (options) => (await import('./down.ts')).down(options));
  withOutput(
    withCluster(
      program.command('status').description('show the state of a cluster: components, nodes, memory, problems'),
    ),
  ).action(async (options) => (await import('./status.ts')).status(options));
  addBackup(program);
  addImage(program);
  withCluster(
    program
      .command('kubectl')
      .description('run kubectl with the kubeconfig of a cluster (from PATH, or the one that the tests installed)'),
  )
    .argument('[args...]', 'arguments of kubectl')
    .passThroughOptions()
    .allowUnknownOption()
    .helpOption(false)
    .action(async (args, options) => (await import('./kubectl.ts')).kubectl(args, options));
  withOutput(withCluster(program.command('explain').description('explain a decision of the cluster')))
    .argument('<kind>', 'pod: why the scheduler chose its node, or found none')
    .argument('<name>', 'its name')
    .option('-n, --namespace <namespace>', 'its namespace', 'default')
    .action(async (kind, name, options) => (await import('./explain.ts')).explain(kind, name, options));
  program
    .command('test')
    .description('install the test tools, and run all tests')
    .argument('[args...]', 'passed to the test runner: run these files only')
    .option('--long', 'run the long tests (minutes): kills, power losses, damage, full disks; seeds are printed')
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (args, options) => (await import('./test.ts')).test(args, options));
  program
    .command('bench')
    .description('measure a cluster, or two alternately in one run')
    .argument('[args...]', 'passed to the benchmarks: see the first lines of bench/bench.ts')
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (args) => (await import('./bench.ts')).bench(args));
}

function addUp(program: Command): void {
  withUpOptions(program.command('up').description('start a cluster and wait until it is Ready')).action(
    async (options) => (await import('./up.ts')).up(options),
  );
  // `up` starts it and sends its configuration as a message; the data directory in its arguments identifies the
  // process.
  program
    .command('run-cluster', { hidden: true })
    .requiredOption('--data-dir <dir>')
    .action(async () => (await import('./run-cluster.ts')).runCluster());
}

function addKubeApiserver(program: Command): void {
  program
    .command('kube-apiserver')
    .description("run the API server alone, with kube-apiserver's own flags: --help shows them")
    .argument('[flags...]')
    .passThroughOptions()
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words) => (await import('./kube-apiserver.ts')).kubeApiserver(words));
}

function addEnvtest(program: Command): void {
  withOutput(
    program
      .command('envtest')
      .description('make the programs that test environments start: envtest of controller-runtime, and its like'),
  )
    .option('--print-assets', 'print only their directory, for KUBEBUILDER_ASSETS')
    .option('--dir <dir>', 'where to make them (default: in this checkout)')
    .action(async (options) => (await import('./envtest.ts')).envtest(options));
}

function addBackup(program: Command): void {
  const backup = program.command('backup').description('make and look at backups of a cluster');
  withOutput(
    withEncryption(withPlace(withCluster(backup.command('create').description('write a backup, also while it runs')))),
  )
    .argument('<file>', 'a file that does not exist yet, or s3://BUCKET/KEY')
    .option('--at <revision|time>', 'as of a revision or a time, as far back as the store has history')
    .action(async (file, options) => (await import('./backup.ts')).create(file, options));
  withOutput(withSecrets(withPlace(backup.command('inspect').description('verify a backup, and list its content'))))
    .argument('<file>', 'a file, or s3://BUCKET/KEY')
    .action(async (file, options) => (await import('./backup.ts')).inspect(file, options));
  withSecrets(
    withPlace(
      withCluster(
        program
          .command('restore')
          .description(
            'replace a stopped cluster by its backup, or make a new one from it; volumes are not in backups',
          ),
      ),
    ),
  )
    .argument(
      '<file>',
      'a file, or s3://BUCKET/KEY; in a directory, or s3://BUCKET/PREFIX/: the newest scheduled backup',
    )
    .option('--at <revision|time>', 'in a directory: the newest scheduled backup that is not newer than this')
    .option('--yes', 'do not ask')
    .addOption(new Option('--store <store>', 'by default that of the backup').choices(['embedded', 'etcd']))
    .option('--etcd-endpoints <urls>', 'etcd servers, separated by commas')
    .action(async (file, options) => (await import('./restore.ts')).restore(file, options));
}

function addImage(program: Command): void {
  const image = program.command('image').description("the cluster's container images");
  withCluster(image.command('load').description('load a docker-save or OCI archive'))
    .argument('<file>', 'a .tar file')
    .action(async (file, options) => (await import('./image.ts')).load(file, options));
  withOutput(withCluster(image.command('ls').description('list images'))).action(async (options) =>
    (await import('./image.ts')).list(options),
  );
  withCluster(image.command('rm').description('remove an image'))
    .argument('<reference>', 'name or id')
    .action(async (reference, options) => (await import('./image.ts')).remove(reference, options));
}
