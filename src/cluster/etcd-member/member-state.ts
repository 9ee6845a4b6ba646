// The record of how far a member's start came: a start that was cut short is continued or undone by the next.

import { readFile, rm } from 'node:fs/promises';
import { fieldsIn, textIn } from '../../machinery/parsed.ts';
import { writeWhole } from '../write-whole.ts';
import type { InitialCluster } from './arguments.ts';
import { EtcdMemberError } from './interface.ts';

export interface MemberState {
  /** `joining`: a learner, which a failed start removes. */
  readonly phase: 'forming' | 'joining' | 'member';
  readonly initial: InitialCluster;
  /** Client URLs of the other members, as last seen. */
  readonly others: readonly string[];
  /** Of the running cluster: a member without quorum does not have it. */
  readonly clusterId?: string;
}

export async function readState(file: string): Promise<MemberState | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const state = parse(text);
  if (state) return state;
  throw new EtcdMemberError(`${file} is damaged: ${lostRemedy}`);
}

/** The end of a sentence about a member that lost its data. */
export const lostRemedy =
  'if other servers run, use "coracle node remove" there and "coracle down --delete" here, then join again; otherwise restore a backup with "coracle restore"';

function parse(text: string): MemberState | undefined {
  try {
    const { phase, initial, others, clusterId } = fieldsIn(JSON.parse(text));
    const { state, members, token } = fieldsIn(initial);
    const isValid =
      ['forming', 'joining', 'member'].includes(textIn(phase)) && ['new', 'existing'].includes(textIn(state));
    const texts = Array.isArray(others) ? [members, token, clusterId ?? '', ...others] : undefined;
    if (!isValid || !texts?.every((value) => typeof value === 'string')) return undefined;
    return { phase, initial, others, ...(clusterId !== undefined && { clusterId }) } as MemberState;
  } catch {
    return undefined;
  }
}

export const writeState = (file: string, state: MemberState): Promise<void> =>
  writeWhole(file, `${JSON.stringify(state)}\n`, 0o600);

/** A directory without it has no member. */
export const removeState = (file: string): Promise<void> => rm(file, { force: true });
