// Backups of the cluster that runs in this process: those that a command asks for, and those of the schedule.

import { fieldsIn, textIn } from '../../machinery/parsed.ts';
import { checkRecipient } from '../../store/store.ts';
import type { Environment } from '../context.ts';
import type { Cluster } from '../start.ts';
import { backupBytes } from './content.ts';
import { BackupError } from './folder.ts';
import { recordHistory } from './history.ts';
import { openFolder } from './place.ts';
import { settingsToSave } from './saved-settings.ts';
import { scheduleBackups } from './schedule.ts';

interface ClusterBackups {
  /** The bytes of a backup, as of the `at` in the body of a request. */
  answer(body: unknown): Promise<AsyncIterable<Uint8Array>>;
  problem(): string | undefined;
  stop(): Promise<void>;
}

/** Rejects with BackupError if the schedule's place cannot be used. */
export async function startBackups(
  cluster: Cluster,
  { clock, logger }: Pick<Environment, 'clock' | 'logger'>,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ClusterBackups> {
  const { config, directory, store } = cluster;
  const source = { directory, store, clock, saved: settingsToSave(config, cluster.server, cluster.etcd !== undefined) };
  const { backupSchedule, backupTo, s3Endpoint } = config;
  for (const recipient of config.backupRecipients)
    await checkRecipient(recipient).catch((error) => {
      throw new BackupError(`--backup-recipients ${recipient} is no public key of age: ${(error as Error).message}`);
    });
  const scheduled =
    backupSchedule !== undefined && backupTo !== undefined
      ? scheduleBackups(
          {
            cluster: config.name,
            schedule: backupSchedule,
            folder: openFolder(backupTo, {
              scratch: directory.root,
              environment,
              ...(s3Endpoint !== undefined && { s3Endpoint }),
            }),
            keep: config.backupKeep,
            recipients: config.backupRecipients,
            backup: () => backupBytes(source),
          },
          { clock, logger },
        )
      : undefined;
  const history = recordHistory(store, clock);
  return {
    async answer(body) {
      const at = fieldsIn(body)['at'];
      return backupBytes(source, at === undefined ? undefined : await history.revisionAt(textIn(at)));
    },
    problem: () => scheduled?.problem(),
    async stop() {
      history.stop();
      await scheduled?.stop();
    },
  };
}
