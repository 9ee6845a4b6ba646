// The machine that this process runs on.

import { mkdir, rm } from 'node:fs/promises';
import type { Logger } from '../../machinery/logger.ts';
import { containerFiles } from '../containers/container-files.ts';
import { hasAppArmor } from '../containers/security.ts';
import { userNamespaceOf } from '../containers/user-namespaces.ts';
import { logDirectory, podDirectory } from '../files/pod-paths.ts';
import { readBeneath } from '../files/safe-path.ts';
import { removeLog } from '../logs/log-files.ts';
import { systemLogsDirectory } from '../logs/system-logs.ts';
import { resizeRecordIn } from '../resources/resize-record.ts';
import { TerminationMessages } from '../status/termination-messages.ts';
import { HostPathVolumes } from '../volumes/host-path-volumes.ts';
import { bindSubPath, createSubPath } from '../volumes/sub-paths.ts';
import {
  growVolume,
  podDirectories,
  prepareVolumes,
  releaseVolumes,
  setUpVolumes,
  tearDownVolumes,
} from '../volumes/volumes.ts';
import type { Machine, PodFiles } from './machine.ts';
import { type MeterParts, realMeter } from './real-meter.ts';

export const realMachine = (parts: MeterParts & { readonly logger: Logger }): Machine => ({
  files: realFiles(parts),
  meter: realMeter(parts),
  hostPathVolumes: new HostPathVolumes(parts.config.volumeDirectory, parts.logger),
  hasAppArmor: hasAppArmor(),
  systemLogs: systemLogsDirectory,
});

/** Each function is in the folder of its subject. */
function realFiles({ config, clock }: Pick<MeterParts, 'config' | 'clock'>): PodFiles {
  const { rootDirectory, podLogsDirectory } = config;
  const directories = (uid: string) => podDirectories(rootDirectory, uid);
  return {
    refreshesVolumes: true,
    prepare: () => prepareVolumes(rootDirectory),
    makeDirectory: async (uid) =>
      void (await mkdir(podDirectory(rootDirectory, uid), { recursive: true, mode: 0o750 })),
    setUpVolumes: (pod, sources, claimed) => setUpVolumes(pod, directories(pod.metadata.uid), sources, claimed),
    growVolume: (uid, name, volume) => growVolume(volume, name, directories(uid)),
    releaseVolumes: (uid) => releaseVolumes(directories(uid)),
    remove: (uid) => tearDownVolumes(directories(uid)),
    removeLogs: (pod) => rm(logDirectory(podLogsDirectory, pod), { recursive: true, force: true }),
    removeLog: (file) => removeLog({ root: podLogsDirectory, file }),
    async subPath(uid, part) {
      const sub = { ...part, podDirectory: podDirectory(rootDirectory, uid) };
      await createSubPath(sub).catch(failed('failed to create subPath directory'));
      return bindSubPath(sub).catch(failed('failed to prepare subPath'));
    },
    readText: ({ path }, file, mostBytes) => readBeneath(path, file, mostBytes),
    extraMounts: (inputs, mounts) => containerFiles(inputs, mounts, config),
    terminationMessages: () => new TerminationMessages(config, clock),
    resizeRecord: (uid) => resizeRecordIn(podDirectory(rootDirectory, uid)),
    userNamespace: (pod) => userNamespaceOf(pod, config),
  };
}

/** The message names the step only: the cause may reveal files of the host. */
const failed = (step: string) => (cause: unknown) => {
  throw new Error(step, { cause });
};
