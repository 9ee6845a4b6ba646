// The record of how far a member's start came: a start that was cut short is continued or undone by the next.

import { readFile, rm } from 'node:fs/promises';
import { writeWhole } from '../write-whole.ts';
import type { InitialCluster } from './arguments.ts';

export interface MemberState {
  /** `joining`: a learner, which a failed start removes. */
  readonly phase: 'forming' | 'joining' | 'member';
  readonly initial: InitialCluster;
  /** Client URLs of the other members, as last seen. */
  readonly others: readonly string[];
}

export async function readState(file: string): Promise<MemberState | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return text === undefined ? undefined : (JSON.parse(text) as MemberState);
}

export const writeState = (file: string, state: MemberState): Promise<void> =>
  writeWhole(file, `${JSON.stringify(state)}\n`, 0o600);

/** A directory without it has no member. */
export const removeState = (file: string): Promise<void> => rm(file, { force: true });
