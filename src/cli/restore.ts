import { createInterface } from 'node:readline/promises';
import {
  chooseBackup,
  type Decryption,
  isFolder,
  type Loss,
  openFolder,
  openPlace,
  type PreparedRestore,
  prepareRestore,
  type RestoreTarget,
} from '../cluster/backup/backup.ts';
import { checkEtcdFiles, type EtcdFiles, SettingError } from '../cluster/config.ts';
import { runningProcess } from '../cluster/data-directory.ts';
import { systemClock } from '../machinery/time/clock.ts';
import {
  backupFailure,
  decryptionOf,
  type PlaceFlags,
  placeOptions,
  type SecretFlags,
} from './options/backup-options.ts';
import { bold, CliError, type ClusterOptions, directoryOf, print } from './options/options.ts';

interface RestoreOptions extends ClusterOptions, PlaceFlags, SecretFlags, EtcdFiles {
  readonly yes?: boolean;
  readonly at?: string;
  readonly store?: 'embedded' | 'etcd';
  readonly etcdEndpoints?: string;
}

export async function restore(given: string, options: RestoreOptions): Promise<void> {
  const directory = directoryOf(options);
  const target = targetOf(options);
  const running = await runningProcess(directory);
  if (running)
    throw new CliError(
      `the cluster in ${directory.root} runs (process ${running.pid}): stop it with "./coracle down --data-dir ${directory.root}"`,
    );
  if (!options.yes && !process.stdin.isTTY)
    throw new CliError('restore asks before it replaces anything: run it at a terminal, or give --yes', 2);
  try {
    const decryption = await decryptionOf(options);
    const { folder, name, place } = await findBackup(given, options, decryption);
    const prepared = await prepareRestore({
      ...{ directory, name: options.name, bytes: folder.read(name), decryption, clock: systemClock },
      ...(target && { target }),
      ...(options.at !== undefined && !(await isFolder(given)) && { at: options.at }),
    });
    printPlan(place, prepared, directory.root);
    if (!options.yes && !(await isConfirmed())) {
      await prepared.discard();
      throw new CliError('nothing was changed');
    }
    await prepared.commit();
    print(`\nThe cluster "${options.name}" is restored. Start it with:\n\n  ${bold(prepared.startCommand)}`);
  } catch (error) {
    throw backupFailure(error, given);
  }
}

/** In a folder: the newest scheduled backup up to --at. */
async function findBackup(given: string, options: RestoreOptions, decryption: Decryption) {
  if (!(await isFolder(given))) return { ...openPlace(given, placeOptions(options)), place: given };
  const folder = openFolder(given.replace(/\/+$/, ''), placeOptions(options));
  const { at } = options;
  const name = await chooseBackup(folder, given, at === undefined ? undefined : { at, decryption });
  return { folder, name, place: `${given.replace(/\/+$/, '')}/${name}` };
}

function targetOf({ store, etcdEndpoints, ...options }: RestoreOptions): RestoreTarget | undefined {
  const endpoints = etcdEndpoints?.split(',').map((url) => url.trim());
  const { etcdCafile, etcdCertfile, etcdKeyfile } = options;
  const files: EtcdFiles = { etcdCafile, etcdCertfile, etcdKeyfile };
  if (!endpoints && Object.values(files).some((file) => file !== undefined))
    throw new CliError('--etcd-cafile, --etcd-certfile and --etcd-keyfile need --etcd-endpoints', 2);
  if (store === 'embedded' && endpoints) throw new CliError('--etcd-endpoints needs --store etcd', 2);
  if (store === 'embedded') return { store };
  if (endpoints) return { store: 'etcd', endpoints, files: checked(files) };
  if (store === 'etcd')
    throw new CliError('--store etcd needs --etcd-endpoints, such as --etcd-endpoints http://127.0.0.1:2379', 2);
  return undefined;
}

function checked(files: EtcdFiles): EtcdFiles {
  try {
    checkEtcdFiles(files);
    return files;
  } catch (error) {
    throw error instanceof SettingError ? new CliError(error.message, 2) : error;
  }
}

function printPlan(place: string, { header, target, losses }: PreparedRestore, root: string): void {
  const into = target.store === 'etcd' ? `${root} and the etcd at ${target.endpoints.join(',')}` : root;
  print(`${place} has the cluster "${header.cluster}" as of ${header.time}, revision ${header.revision}.`);
  print(`It goes into ${into}.`);
  if (target.store === 'embedded' && target.isServer)
    print('The start moves it into a new etcd. Other servers join again, after "coracle down --delete" on each.');
  for (const loss of losses) printLoss(loss);
  if (losses.length === 0) print('Nothing is there yet, so nothing is lost.');
}

const shown = 20;

function printLoss({ place, resources, problem, isSameCluster }: Loss): void {
  if (!resources) return print(`\nThe present store in ${place} is replaced; it cannot be read: ${problem}`);
  print(`\n${isSameCluster ? 'What was written since' : bold('ANOTHER cluster')} in ${place} is lost:`);
  if (resources.length === 0) return print('  no difference');
  print(`  ${'resource'.padEnd(52)} ${'lost'.padStart(7)} ${'changed'.padStart(8)} ${'returned'.padStart(9)}`);
  for (const { resource, lost, changed, returned } of resources.slice(0, shown))
    print(
      `  ${resource.padEnd(52)} ${String(lost).padStart(7)} ${String(changed).padStart(8)} ${String(returned).padStart(9)}`,
    );
  if (resources.length > shown) print(`  and ${resources.length - shown} more resources`);
}

async function isConfirmed(): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await terminal.question('\nReplace it? Type "yes": ')).trim() === 'yes';
  } finally {
    terminal.close();
  }
}
