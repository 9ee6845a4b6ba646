// All commands with their options. Each is implemented in the file of its name.

import path from 'node:path';
import { type Command, Option } from 'commander';
import { withEncryption, withPlace, withSecrets } from './options/backup-options.ts';
import { duration } from './options/join-options.ts';
import { portNumber, withCluster, withOutput } from './options/options.ts';
import { withAgentOptions, withServerOptions, withUpOptions } from './options/up-options.ts';

export function addCommands(program: Command): void {
  addUp(program);
  addServer(program);
  addAgent(program);
  addToken(program);
  addNode(program);
  addCertificates(program);
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
  addConsole(program);
  addUpgrade(program);
  addBackup(program);
  addStore(program);
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
  withOutput(withCluster(program.command('trace').description('show the path of a connection, hop by hop')))
    .argument('<kind>', 'service: load balancer, node port, rules, endpoints and pods, and the rule that refuses it')
    .argument('<name>', 'its name')
    .option('-n, --namespace <namespace>', 'its namespace', 'default')
    .option('--from <address>', 'address of the client')
    .action(async (kind, name, options) => (await import('./trace.ts')).trace(kind, name, options));
  addTests(program);
}

function addTests(program: Command): void {
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

function addConsole(program: Command): void {
  withOutput(
    withCluster(program.command('console').description('open the web console: print a link that signs in once')),
  )
    .option('--no-open', 'only print it')
    .option('--kubeconfig <file>', 'serve the console on this machine, for the cluster of a kubeconfig')
    .option('--context <name>', 'context of the kubeconfig; default: its current one')
    .option('--port <port>', 'port of the console with --kubeconfig; default: any free one', portNumber)
    .action(async (options) => (await import('./console.ts')).console(options));
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
    .action(async () => (await import('./running/run-cluster.ts')).runCluster());
}

function addServer(program: Command): void {
  withServerOptions(
    program
      .command('server')
      .description('start one of several machines of a control plane, which share an etcd cluster'),
  ).action(async (options) => (await import('./server.ts')).server(options));
}

function addAgent(program: Command): void {
  withAgentOptions(
    program.command('agent').description('join this machine to a cluster as a node, or start it again'),
  ).action(async (options) => (await import('./agent.ts')).agent(options));
  program
    .command('run-agent', { hidden: true })
    .requiredOption('--data-dir <dir>')
    .action(async () => (await import('./running/run-agent.ts')).runAgent());
}

function addToken(program: Command): void {
  const token = program.command('token').description('tokens by which machines join the cluster');
  withOutput(
    withCluster(token.command('create').description('make a token, and print the command that joins a machine')),
  )
    .argument('[token]', 'such as abcdef.0123456789abcdef (default: a random one)')
    .option('--ttl <duration>', 'life of the token, such as 2h; 0: without an end', duration, 24 * 3_600_000)
    .option('--description <text>', 'its use, for "token list"')
    .option('--server', 'for a machine of the control plane instead of a node')
    .action(async (given, options) => (await import('./token.ts')).create(given, options));
  withOutput(withCluster(token.command('list').description('list the tokens'))).action(async (options) =>
    (await import('./token.ts')).list(options),
  );
  withCluster(token.command('delete').description('delete a token'))
    .argument('<token>', 'the token, or its first six letters')
    .action(async (id, options) => (await import('./token.ts')).remove(id, options));
}

function addNode(program: Command): void {
  const node = program.command('node').description('machines of the cluster');
  const withDrainOptions = (command: Command) =>
    withCluster(command)
      .argument('<name>', 'name of the node')
      .option('--force', 'also pods that nothing creates again')
      .option('--delete-emptydir-data', 'also pods whose emptyDir volumes are lost with them')
      .option('--timeout <duration>', 'how long pods may take to go; 0: without an end', duration, 0);
  withDrainOptions(node.command('drain').description('evict the pods of a node, which gets no new ones')).action(
    async (name, options) => (await import('./node.ts')).drain(name, options),
  );
  withDrainOptions(node.command('remove').description('drain a node, and remove it from the cluster')).action(
    async (name, options) => (await import('./node.ts')).remove(name, options),
  );
}

function addCertificates(program: Command): void {
  const certificates = program.command('certificates').description('certificates of this machine');
  withOutput(
    withCluster(certificates.command('check').description('show when they expire; fails within 30 days of it')),
  ).action(async (options) => (await import('./certificates.ts')).check(options));
  withCluster(
    certificates.command('renew').description('make new ones now; running clusters renew them by themselves'),
  ).action(async (options) => (await import('./certificates.ts')).renew(options));
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

const absolute = (file: string): string => path.resolve(file);

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
    .option('--etcd-cafile <file>', 'CA of the certificates of etcd servers (https)', absolute)
    .option('--etcd-certfile <file>', 'client certificate for etcd', absolute)
    .option('--etcd-keyfile <file>', 'key of --etcd-certfile', absolute)
    .action(async (file, options) => (await import('./restore.ts')).restore(file, options));
}

function addUpgrade(program: Command): void {
  withOutput(withCluster(program.command('upgrade').description('check whether this program can take over a cluster')))
    .option('--check', 'versions, certificates, stored objects, APIs in use; exit code 1: something stands against it')
    .action(async (options) => (await import('./upgrade.ts')).upgrade(options));
}

function addStore(program: Command): void {
  const store = program.command('store').description("the store of the cluster's data");
  withCluster(
    store.command('migrate').description('move the store of a running cluster, which answers reads meanwhile'),
  )
    .addOption(
      new Option('--to <store>', 'etcd: an etcd member of this machine, which others can join')
        .choices(['etcd'])
        .makeOptionMandatory(),
    )
    .action(async (options) => (await import('./store.ts')).migrate(options));
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
