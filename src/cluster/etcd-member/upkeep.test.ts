import { describe, expect, test } from 'vitest';
import type { EtcdAlarm } from '../../store/store.ts';
import { etcdArguments } from './arguments.ts';
import { lastWords } from './last-words.ts';
import { memberLayout } from './layout.ts';
import { alarmsToDisarm, alarmText, membersToDefragment, type SeenMember } from './upkeep.ts';

const megabyte = 2 ** 20;

/** `b` leads. */
function seen(id: string, sizeMegabytes: number, inUseMegabytes: number): SeenMember {
  const info = { id, name: `name-${id}`, peerUrls: [], clientUrls: [`https://${id}:2379`], isLearner: false };
  const numbers = { term: 2, index: 9, sizeBytes: sizeMegabytes * megabyte, inUseBytes: inUseMegabytes * megabyte };
  const status = { clusterId: '1', memberId: id, version: '3.5.1', leader: 'b', isLearner: false, ...numbers };
  return { info, status };
}
const silent = (id: string): SeenMember => ({ info: seen(id, 0, 0).info });
const full = (memberId: string): EtcdAlarm => ({ memberId, alarm: 'NOSPACE' });

test.each<[string, SeenMember[], EtcdAlarm[], string[], number?]>([
  ['little is wasted', [seen('a', 300, 200)], [], []],
  ['more than half, but little, is wasted', [seen('a', 150, 60)], [], []],
  ['much, but less than half, is wasted', [seen('a', 3900, 2500)], [], []],
  ['a quarter is wasted near the quota', [seen('a', 4100, 3000)], [], ['a']],
  ['little is wasted near the quota', [seen('a', 4900, 4500)], [], []],
  ['more than half and more than 100 MiB are wasted', [seen('a', 300, 100)], [], ['a']],
  ['the leader comes last', [seen('b', 300, 9), seen('a', 300, 9), seen('c', 300, 9)], [], ['a', 'c', 'b']],
  ['a silent member is left out', [silent('a'), seen('b', 300, 9)], [], ['b']],
  ['a full one has some free pages', [seen('a', 16, 12), seen('b', 16, 12)], [full('a')], ['a']],
  ['a full one has no free pages', [seen('a', 16, 15.9)], [full('a')], []],
  ['etcd has not counted free pages for 11 s', [seen('a', 16, 17)], [full('a')], ['a'], 11_000],
  ['a larger one waits longer', [seen('a', 5000, 5000)], [full('a')], [], 499_000],
  ['a larger one has waited', [seen('a', 5000, 5000)], [full('a')], ['a'], 501_000],
])('defragmentation: %s', (_, members, alarms, expected, sinceMs = 5_000) => {
  const limits = { quotaBytes: 5000 * megabyte, sinceMs };
  expect(membersToDefragment(members, alarms, limits).map(({ info }) => info.id)).toEqual(expected);
});

test.each<[string, SeenMember[], EtcdAlarm[], number]>([
  ['space is back', [seen('a', 10, 10)], [full('a')], 1],
  ['it is still nearly full', [seen('a', 15, 1)], [full('a')], 0],
  ['the member is silent', [silent('a')], [full('a')], 0],
  ['corruption is never disarmed', [seen('a', 1, 1)], [{ memberId: 'a', alarm: 'CORRUPT' }], 0],
])('alarm: %s', (_, members, alarms, expected) =>
  expect(alarmsToDisarm(members, alarms, 16 * megabyte)).toHaveLength(expected),
);

test.each<[EtcdAlarm, RegExp]>([
  [full('a'), /member name-a is full \(12 MiB in use of 16 MiB\).*delete objects/],
  [full('gone'), /member gone is full \(16 MiB\)/],
  [{ memberId: 'a', alarm: 'CORRUPT' }, /member name-a differs.*let it join anew/],
])('the text of an alarm has its remedy: %j', (alarm, text) =>
  expect(alarmText(alarm, [seen('a', 16, 12)], 16 * megabyte)).toMatch(text),
);

describe('the last words of etcd', () => {
  test.each([
    ['nothing', '', undefined],
    ['warnings only', '{"level":"warn","msg":"slow"}\n', undefined],
    [
      'a taken port',
      '{"level":"fatal","msg":"failed to start","error":"listen tcp 127.0.0.1:2380: bind: address already in use"}\n{"level":"warn","msg":"closing"}\n',
      'failed to start: listen tcp 127.0.0.1:2380: bind: address already in use (another program listens on its port: end it, or choose another port)',
    ],
    ['an unknown error', '{"level":"fatal","msg":"failed","error":"odd"}\n', 'failed: odd'],
    ['a panic', 'panic: runtime error\n', 'panic: runtime error'],
  ])('%s', (_, log, expected) => expect(lastWords(log)).toBe(expected));
});

test('the command line of an IPv6 member', () => {
  const options = { directory: '/d', name: 'one', address: 'fd00::7', ca: { cert: '', key: '' } };
  const initial = { state: 'new', members: 'one=https://[fd00::7]:2380', token: 't' } as const;
  const flags = etcdArguments(options, memberLayout(options), initial);
  expect(flags).toEqual(
    expect.arrayContaining([
      '--listen-client-urls=https://[fd00::7]:2379',
      '--initial-advertise-peer-urls=https://[fd00::7]:2380',
      '--initial-cluster=one=https://[fd00::7]:2380',
      '--client-cert-auth=true',
      '--peer-client-cert-auth=true',
      '--auto-compaction-retention=0',
      '--quota-backend-bytes=8589934592',
    ]),
  );
});
