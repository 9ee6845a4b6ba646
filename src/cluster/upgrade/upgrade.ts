// The door for the command that checks an upgrade: collects the facts about a cluster, running or stopped.

import { readFile } from 'node:fs/promises';
import { kubernetesVersion } from '../../api/api.ts';
import { fieldsIn, textIn } from '../../machinery/parsed.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { decodeBackup, openEtcdCluster } from '../../store/store.ts';
import { backupBytes } from '../backup/content.ts';
import { readSettings, type SavedSettings } from '../backup/saved-settings.ts';
import { withStoppedStore } from '../backup/stopped.ts';
import { etcdFilesOf } from '../backup/target.ts';
import { listCertificates } from '../certificates/certificate-files.ts';
import { readEtcdTls } from '../configuration/etcd-tls.ts';
import { askControl, readControl } from '../control.ts';
import { type DataDirectory, formatVersion, runningProcess } from '../data-directory.ts';
import type { ClusterStatus } from '../run-once.ts';
import { version } from '../version.ts';
import { type DeprecatedUse, type Finding, judgeUpgrade, type UpgradeFacts, type Versions } from './judge.ts';
import { type StoredFacts, surveyStored } from './stored.ts';

export type { Finding } from './judge.ts';

/** Reads all that an upgrade to this program depends on, and changes nothing. */
export async function checkUpgrade(directory: DataDirectory, name: string, clock: Clock): Promise<readonly Finding[]> {
  const saved = (await readSettings(directory)) ?? { name, store: 'embedded', flags: {} };
  const isRunning = (await runningProcess(directory)) !== undefined;
  const { stored, last } = isRunning ? await surveyRunning(directory) : await surveyStopped(directory, saved, clock);
  return judgeUpgrade({
    ...{ nowMs: clock.now(), directory: directory.root, stored, last },
    program: { coracle: version, kubernetes: kubernetesVersion.gitVersion, format: formatVersion },
    format: await formatOf(directory),
    certificates: await listCertificates(directory),
    etcd: isRunning || !saved.isServer ? await etcdMembers(directory, saved, clock) : [],
    deprecated: isRunning ? await deprecatedUses(directory) : undefined,
  });
}

async function formatOf({ stamp }: DataDirectory): Promise<number | undefined> {
  try {
    const { format } = fieldsIn(JSON.parse(await readFile(stamp, 'utf8')));
    return typeof format === 'number' ? format : undefined;
  } catch {
    return undefined;
  }
}

type Survey = Pick<UpgradeFacts, 'stored' | 'last'>;

/** The running program reports its versions in the description of its backups. */
async function surveyRunning({ controlSocket }: DataDirectory): Promise<Survey> {
  try {
    const { header, parts } = await decodeBackup(await readControl(controlSocket, 'backup', {}));
    return { last: header, stored: await surveyStored(parts) };
  } catch (error) {
    return { last: undefined, stored: (error as Error).message };
  }
}

async function surveyStopped(directory: DataDirectory, saved: SavedSettings, clock: Clock): Promise<Survey> {
  const last: Versions | undefined = saved.versions;
  try {
    const read = (store: Parameters<Parameters<typeof withStoppedStore>[3]>[0]): Promise<StoredFacts> =>
      decodeBackup(backupBytes({ directory, store, clock, saved })).then(({ parts }) => surveyStored(parts));
    return { last, stored: await withStoppedStore(directory, saved, clock, read) };
  } catch (error) {
    return { last, stored: (error as Error).message };
  }
}

async function etcdMembers(
  { controlSocket }: DataDirectory,
  { isServer, store, flags }: SavedSettings,
  clock: Clock,
): Promise<UpgradeFacts['etcd']> {
  if (isServer) {
    const status = await askControl<ClusterStatus>(controlSocket, 'status').catch(() => undefined);
    return status?.controlPlane?.members ?? [];
  }
  if (store !== 'etcd') return [];
  const endpoints = flags['etcd-endpoints']?.split(',') ?? [];
  const tls = await readEtcdTls(etcdFilesOf(flags));
  const cluster = await openEtcdCluster({ clock, endpoints: () => endpoints, tls });
  const statusOf = (url: string) =>
    cluster.status(url).then(
      (status) => ({ name: url, version: status.version }),
      () => ({ name: url }),
    );
  return Promise.all(endpoints.map(statusOf)).finally(() => cluster.close());
}

async function deprecatedUses({ controlSocket }: DataDirectory): Promise<readonly DeprecatedUse[] | undefined> {
  const text = await askControl<string>(controlSocket, 'metrics').catch(() => undefined);
  return text === undefined ? undefined : deprecatedIn(text);
}

/** From the lines of apiserver_requested_deprecated_apis. */
export function deprecatedIn(metrics: string): readonly DeprecatedUse[] {
  const uses = new Map<string, DeprecatedUse>();
  for (const [, labels = ''] of metrics.matchAll(/^apiserver_requested_deprecated_apis\{(.*)\} 1$/gm)) {
    const fields = Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
    const group = textIn(fields['group']);
    const resource = `${textIn(fields['resource'])}${group && `.${group}`}`;
    uses.set(`${resource}/${fields['version']}`, { resource, version: textIn(fields['version']) });
  }
  return [...uses.values()];
}
