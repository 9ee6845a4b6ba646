// Reads the configuration of the scheduler.

import { readFile } from 'node:fs/promises';
import {
  parseSchedulerConfiguration,
  SchedulerConfigurationError,
  type SchedulerSettings,
} from '../../kube-scheduler/kube-scheduler.ts';

/** Undefined when there is no file. Rejects with the file and its faults. */
export async function readSchedulerSettings(file: string | undefined): Promise<SchedulerSettings | undefined> {
  if (!file) return undefined;
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new Error(`--scheduler-config ${file} cannot be read: ${error.message}`);
  });
  try {
    return parseSchedulerConfiguration(text);
  } catch (error) {
    if (!(error instanceof SchedulerConfigurationError)) throw error;
    throw new Error(`--scheduler-config ${file} cannot be used: ${error.message}`);
  }
}
