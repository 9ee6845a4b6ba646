import { describe, expect, test } from 'vitest';
import { type BackupHeader, encodeBackup, pack } from '../../store/store.ts';
import { chooseBackup, requireMoment } from './choose.ts';
import type { BackupFolder } from './folder.ts';

const header: BackupHeader = {
  ...{ cluster: 'c', revision: 0, time: '2026-01-02T03:00:00Z' },
  ...{ coracle: '0.1.0', kubernetes: 'v1.36.2', store: 'embedded', settings: {} },
};

async function* nothing(): AsyncIterable<never> {}

function folderOf(revisions: Record<string, number | 'damaged'>): BackupFolder {
  return {
    list: async () => Object.keys(revisions),
    read: (name) =>
      revisions[name] === 'damaged'
        ? (async function* () {
            yield Buffer.from('rubbish');
          })()
        : pack(encodeBackup({ ...header, revision: Number(revisions[name]) }, nothing()), {}),
    write: () => Promise.reject(new Error('not used')),
    remove: () => Promise.reject(new Error('not used')),
  };
}

const folder = folderOf({
  'c-20260103T030000Z.backup': 300,
  'c-20260101T030000Z.backup': 100,
  'notes.txt': 1,
  'c-20260102T030000Z.backup': 200,
  'c-20260104T030000Z.backup': 'damaged',
});

describe('among scheduled backups', () => {
  test.each([
    [undefined, 'c-20260104T030000Z.backup'],
    ['2026-01-03T02:59:59Z', 'c-20260102T030000Z.backup'],
    ['2026-01-03T03:00:00Z', 'c-20260103T030000Z.backup'],
    ['2026-01-03T12:00:00+09:00', 'c-20260103T030000Z.backup'],
    ['300', 'c-20260103T030000Z.backup'],
    ['299', 'c-20260102T030000Z.backup'],
    ['9999', 'c-20260103T030000Z.backup'],
  ])('%s is %s', async (at, name) => {
    expect(await chooseBackup(folder, '/backups', at === undefined ? undefined : { at, decryption: {} })).toBe(name);
  });

  test.each([
    ['99', /no backup from 99 or before: the oldest is c-20260101T030000Z\.backup/],
    ['2025-12-31T00:00:00Z', /the oldest is c-20260101/],
    ['yesterday', /neither a revision nor a time/],
  ])('%s is refused', async (at, message) => {
    await expect(chooseBackup(folder, '/backups', { at, decryption: {} })).rejects.toThrow(message);
  });

  test('an empty folder is refused', async () => {
    await expect(chooseBackup(folderOf({ 'notes.txt': 1 }), '/backups')).rejects.toThrow(/no scheduled backups/);
  });
});

test('one backup has one moment', () => {
  const backup = { ...header, revision: 7 };
  for (const at of ['7', '2026-01-02T03:00:00Z', '2026-01-02T04:00:00+01:00'])
    expect(() => requireMoment(backup, at)).not.toThrow();
  for (const at of ['6', '8', '2026-01-02T03:00:01Z'])
    expect(() => requireMoment(backup, at)).toThrow(/only the revision 7 of 2026-01-02T03:00:00Z/);
});
