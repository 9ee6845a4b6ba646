// The past of the store, as far as it is read at the start.

import { ChangeLog } from '../change-log.ts';
import type { Entry } from '../interface.ts';
import type { Tables } from './database.ts';
import { decodeText, decodeUndo, redo, type UndoRecord } from './records.ts';

/** Past transactions read at the start; watches from older revisions must list again. */
const rememberedTransactions = 1_000;

/** The log with the last transactions. `read`: the current entry of a key. */
export function openLog({ meta, history }: Tables, read: (key: string) => Entry | undefined): ChangeLog {
  const revision = Number(decodeText('revision', meta.get('revision')) ?? 1);
  const compacted = Number(decodeText('compacted', meta.get('compacted')) ?? 1);
  const records: UndoRecord[] = [];
  for (const { key, value } of history.getRange({ reverse: true })) {
    records.push(...decodeUndo(key, value));
    if (records.length >= rememberedTransactions) break;
  }
  // A record of several transactions is kept until all of them are compacted.
  const past = redo(records, read).filter((each) => each.revision > compacted);
  const logStart =
    records.length < rememberedTransactions ? compacted : Math.max(compacted, (past[0]?.revision ?? 1) - 1);
  return new ChangeLog(revision, logStart, past);
}
