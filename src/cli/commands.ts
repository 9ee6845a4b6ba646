// Every command with its options. What it does is in the file of its name.

import { type Command, Option } from 'commander';
import { componentNames, defaultCriEndpoint, defaultPort } from '../cluster/config.ts';
import { wholeNumber, withCluster, withOutput } from './options.ts';

export function addCommands(program: Command): void {
  addUp(program);
  withCluster(program.command('down').description('stop a cluster and its pods; its data stays'))
    .option('--delete', 'remove its data directory too')
    .action(async (options) => (await import('./down.ts')).down(options));
  withOutput(
    withCluster(program.command('status').description('show how a cluster is: components, nodes, memory, problems')),
  ).action(async (options) => (await import('./status.ts')).status(options));
  addImage(program);
  withCluster(
    program
      .command('kubectl')
      .description("run kubectl against a cluster (the user's own, or the one that comes with the tests)"),
  )
    .argument('[args...]', "kubectl's own arguments")
    .passThroughOptions()
    .allowUnknownOption()
    .helpOption(false)
    .action(async (args, options) => (await import('./kubectl.ts')).kubectl(args, options));
  withOutput(withCluster(program.command('explain').description('show why something is as it is')))
    .argument('<kind>', 'pod: why it went where it went, or goes nowhere')
    .argument('<name>', 'its name')
    .option('-n, --namespace <namespace>', 'its namespace', 'default')
    .action(async (kind, name, options) => (await import('./explain.ts')).explain(kind, name, options));
  program
    .command('test')
    .description('set up everything that the tests need, and run all of them')
    .argument('[args...]', 'passed to the test runner: run these files only')
    .option('--long', 'run the long tests (minutes): kills, power losses, damage, full disks; seeds are printed')
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (args, options) => (await import('./test.ts')).test(args, options));
  program
    .command('bench')
    .description('measure a cluster, or two in turn in the same run')
    .argument('[args...]', 'passed to the benchmarks: see the first lines of bench/bench.ts')
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (args) => (await import('./bench.ts')).bench(args));
}

function addUp(program: Command): void {
  withOutput(withCluster(program.command('up').description('start a cluster and wait until it is Ready')))
    .addOption(
      new Option('--port <port>', 'port of the API server, 0 for any free one')
        .default(defaultPort)
        .argParser(wholeNumber(0, 65535)),
    )
    .addOption(
      new Option('--runtime <runtime>', 'what runs containers')
        .choices(['native', 'cri', 'simulated'])
        .default('native'),
    )
    .addOption(
      new Option('--cri-endpoint <socket>', 'socket of containerd or CRI-O, with --runtime cri').default(
        defaultCriEndpoint,
      ),
    )
    .addOption(
      new Option(
        '--oci-runtime <path>',
        'crun or runc for --runtime native; by default the one on PATH that works here',
      ),
    )
    .addOption(new Option('--nodes <n>', 'number of nodes').default(1).argParser(wholeNumber(1, 5000)))
    .addOption(new Option('--components <list>', `run only these, separated by commas: ${componentNames.join(', ')}`))
    .addOption(
      new Option('--store <store>', 'where cluster data lives')
        .choices(['embedded', 'etcd', 'memory'])
        .default('embedded'),
    )
    .addOption(new Option('--etcd-endpoints <urls>', 'with --store etcd, separated by commas'))
    .addOption(new Option('--audit-policy <file>', 'record requests as this policy of audit.k8s.io/v1 says'))
    .addOption(
      new Option('--audit-log <file>', 'where to; audit.log in the data directory by default, - for the output'),
    )
    .addOption(
      new Option(
        '--encryption-config <file>',
        'encrypt data at rest as this file says; auto: secrets, with a key made here',
      ),
    )
    .addOption(new Option('--audit-webhook-config <file>', 'kubeconfig of a server that gets the recorded events'))
    .addOption(
      new Option('--node-ip <address>', "the machine's address for pods and clients; its first one by default"),
    )
    .addOption(
      new Option('--proxy-mode <mode>', 'what brings services to their pods; auto: nftables where it works')
        .choices(['auto', 'nftables', 'userspace'])
        .default('auto'),
    )
    .option('--merge-kubeconfig', "add the cluster to the user's own kubeconfig and make it current")
    .option('--foreground', 'stay, log to the terminal, and end on SIGTERM')
    .addOption(new Option('--report-to-parent').hideHelp())
    .action(async (options) => (await import('./up.ts')).up(options));
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
