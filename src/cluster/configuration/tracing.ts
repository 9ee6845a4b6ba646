// Opens tracing as its file configures it.

import { readFile } from 'node:fs/promises';
import {
  AccessConfigurationError,
  openTracing,
  parseTracingConfiguration,
  type Tracing,
} from '../../kube-apiserver/kube-apiserver.ts';
import type { Environment } from '../context.ts';

/** Undefined when there is no file. Rejects with the file and its fault. */
export async function readTracing(
  file: string | undefined,
  { clock, logger, random }: Pick<Environment, 'clock' | 'logger' | 'random'>,
): Promise<Tracing | undefined> {
  if (!file) return undefined;
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new Error(`--tracing-config-file ${file} cannot be read: ${error.message}`);
  });
  try {
    return await openTracing({ ...parseTracingConfiguration(text), clock, logger, instance: random.uuid() });
  } catch (error) {
    if (!(error instanceof AccessConfigurationError)) throw error;
    throw new Error(`--tracing-config-file ${file} cannot be used: ${error.message}`);
  }
}
