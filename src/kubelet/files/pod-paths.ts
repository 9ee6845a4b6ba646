// Paths of a pod's files.

import path from 'node:path';
import type { Pod } from '../../api/api.ts';
import { podDirectories } from '../volumes/volumes.ts';

export const podDirectory = (root: string, uid: string): string => podDirectories(root, uid).disk;

export const logDirectory = (root: string, pod: Pod): string =>
  path.join(root, `${pod.metadata.namespace}_${pod.metadata.name}_${pod.metadata.uid}`);

/** The termination message of one run of a container. */
export const terminationLogPath = (podDirectory: string, name: string, attempt: number): string =>
  path.join(podDirectory, 'containers', name, String(attempt));
