import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../machinery/time/clock.ts';
import { ensureAuthority } from '../certificates/certificates.ts';
import { type DataDirectory, dataDirectory, noteStore } from '../data-directory.ts';
import { caHashes } from './ca-hash.ts';
import { needsMigration } from './migrate.ts';
import { checkNodeDirectory, checkServerDirectory, requestedServer } from './server-directory.ts';
import { newToken } from './tokens.ts';
import type { ServerRequest } from './types.ts';

let directory: DataDirectory;
let own: string;
beforeEach(async () => {
  directory = dataDirectory(mkdtempSync(path.join(tmpdir(), 'coracle-server-')));
  [own] = caHashes((await ensureAuthority(directory.pki, 'ca', systemClock.now())).cert);
});
afterEach(() => rmSync(directory.root, { recursive: true }));

const write = (name: string, text: string) => {
  const file = path.join(directory.root, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
};
const member = (phase: string, ...others: string[]) =>
  write('etcd/member.json', JSON.stringify({ phase, others, initial: { state: 'new', members: '', token: '' } }));
const joining = (hash: string): ServerRequest => ({
  join: { server: 'https://192.0.2.1:6443', token: newToken(), hashes: [hash], certificateKey: '0'.repeat(64) },
});
const other = 'https://192.0.2.1:2379';

test.each<[string, () => unknown, ServerRequest | undefined, boolean, RegExp | undefined]>([
  ['a new cluster in an empty directory', () => {}, { init: true }, false, undefined],
  ['a start that was cut short, once more', () => member('forming'), { init: true }, false, undefined],
  ['a join that was cut short, once more', () => member('joining', other), undefined, false, undefined],
  ['a later start', () => member('member', other), {}, true, undefined],
  ['a later start with "up"', () => member('member', other), undefined, true, undefined],
  ['a cluster of one machine', () => {}, undefined, false, undefined],
  ['neither --cluster-init nor --join', () => {}, {}, false, /belongs to no control plane yet: give --cluster-init/],
  ['a server whose etcd is lost', () => {}, {}, true, /no etcd member, although .* was a server: .*coracle restore/],
  [
    'a damaged record of its etcd',
    () => write('etcd/member.json', '{'),
    {},
    true,
    /member.json is damaged: .*join again/,
  ],
  [
    '--cluster-init of a machine that was joining',
    () => member('joining', other),
    { init: true },
    false,
    /with --join/,
  ],
  [
    '--join of the first machine of a cluster',
    () => member('forming'),
    joining('x'),
    false,
    /of another cluster: choose/,
  ],
  [
    '--join to another cluster',
    () => member('member', other),
    joining('x'),
    true,
    /belongs to another cluster \(CA sha/,
  ],
  [
    'a store besides the etcd of a server',
    () => [member('member', other), mkdirSync(directory.store)],
    {},
    true,
    /has an embedded store besides the etcd/,
  ],
  [
    'the directory of a node',
    () => write('membership.json', '{}'),
    { init: true },
    false,
    /which "coracle agent" starts/,
  ],
  [
    '"up" after a move that was cut short',
    () => write('store.former/x', ''),
    undefined,
    false,
    /moved into etcd, .*repeat/,
  ],
  ['--cluster-init after that', () => write('store.former/x', ''), { init: true }, false, undefined],
  ['"up" in the directory of a node', () => write('membership.json', '{}'), undefined, false, /coracle agent/],
])('%s', async (_, prepare, server, wasServer, message) => {
  await prepare();
  const checked = checkServerDirectory(server ? { server } : {}, directory, wasServer);
  if (message) await expect(checked).rejects.toThrow(message);
  else await checked;
});

test.each<[string, () => unknown, ServerRequest | undefined]>([
  ['nothing has moved', () => member('member'), undefined],
  ['the move was cut short before its end', () => write('store.former/x', ''), undefined],
  ['the member has not formed', () => [write('store.former/x', ''), member('forming')], undefined],
  ['the member is that of others', () => [write('store.former/x', ''), member('member', other)], undefined],
  ['all has moved', () => [write('store.former/x', ''), member('member')], { init: true }],
])('"up" goes on as the first server if all has moved: %s', async (_, prepare, expected) => {
  await prepare();
  expect(await requestedServer({}, directory)).toEqual(expected);
});

test('--join of a server of the same cluster is a later start', async () => {
  member('member', other);
  await checkServerDirectory({ server: joining(own) }, directory, true);
});

test('a store that has moved into etcd is not moved again, even if a directory of its name exists', () => {
  mkdirSync(directory.store);
  expect(needsMigration(directory)).toBe(true);
  write('store.former/x', '');
  expect(needsMigration(directory)).toBe(false);
});

test('a node does not start in the directory of a server', async () => {
  await checkNodeDirectory(directory);
  write('server.json', '{}');
  await expect(checkNodeDirectory(directory)).rejects.toThrow(/is that of a cluster's server/);
});

test('nor in that of a cluster of one machine', async () => {
  await noteStore(directory);
  await expect(checkNodeDirectory(directory)).rejects.toThrow(/is that of a cluster's server/);
});
