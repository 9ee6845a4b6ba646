// Real etcd processes on loopback.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { longTest } from '../../../test/long/long.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { openStore } from '../../store/store.ts';
import { makeAuthority } from '../certificates/certificates.ts';
import { isRunning, readIdentity } from '../process/process-identity.ts';
import { type EtcdMember, type EtcdMemberOptions, endFormerMember, startEtcdMember } from './etcd-member.ts';
import { memberLayout } from './layout.ts';
import { environment, eventually, isEtcdInstalled, type TestMachines, testMachines } from './test-members.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const openAt = ({ endpoints, tls }: EtcdMember) => openStore({ kind: 'etcd', clock: systemClock, endpoints, tls });

/** A main process with a member, which writes when the member serves. */
function startInProcess(options: EtcdMemberOptions) {
  const url = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
  const script = `
    const { environment } = await import(${url('test-members.ts')});
    const { startEtcdMember } = await import(${url('etcd-member.ts')});
    await startEtcdMember(${JSON.stringify(options)}, environment);
    console.log('it serves');`;
  return spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
}

describe.skipIf(!isEtcdInstalled)('with a real etcd (skipped where the command etcd is not installed)', () => {
  describe('three members', () => {
    let machines: TestMachines;
    const members = new Map<string, EtcdMember>();
    const member = (name: string) => members.get(name)!;
    const namesAt = async (name: string) => (await member(name).members()).map((m) => m.name).sort();

    beforeAll(async () => {
      machines = await testMachines();
      members.set('one', await machines.start('one'));
      const join = { endpoints: member('one').endpoints };
      members.set('two', await machines.start('two', { join }));
      members.set('three', await machines.start('three', { join }));
    }, 60_000);
    afterAll(() => machines.end(), 60_000);

    test('all vote, one leads, and each gives the addresses of all, its own first', async () => {
      const all = await member('one').members();
      expect(all.map(({ isLearner }) => isLearner)).toEqual([false, false, false]);
      expect(all.filter(({ isLeader }) => isLeader)).toHaveLength(1);
      const own = memberLayout(await machines.options('three')).clientUrl;
      expect(member('three').endpoints).toHaveLength(3);
      expect(member('three').endpoints[0]).toBe(own);
      expect(member('three').health()).toBeUndefined();
      await eventually(() => expect(member('one').endpoints).toHaveLength(3));
    });

    test('clients need a certificate of the CA', async () => {
      const { endpoints } = member('one');
      const { ca } = member('one').tls;
      const open = openStore({ kind: 'etcd', clock: systemClock, endpoints: [endpoints[0]], tls: { ca } });
      await expect(open).rejects.toMatchObject({ reason: 'unreachable' });
    });

    test('a killed member is restarted, and has its data', async () => {
      const store = await openAt(member('one'));
      const { pid } = await member('two').status();
      process.kill(pid!, 'SIGKILL');
      await store.commit([{ key: '/registry/a', value: bytes('while it is down') }]);
      await eventually(async () =>
        expect(await member('two').status()).toMatchObject({ restarts: 1, isLeader: false }),
      );
      await eventually(() => expect(member('two').health()).toBeUndefined());
      const { endpoints, tls } = member('two');
      const other = await openStore({ kind: 'etcd', clock: systemClock, endpoints: [endpoints[0]], tls });
      expect(await other.get('/registry/a')).toBeDefined();
      await Promise.all([store.close(), other.close()]);
    }, 30_000);

    test('the process of a killed main process is ended by the next start', async () => {
      await member('three').stop();
      const options = await machines.options('three');
      const main = startInProcess(options);
      await once(main.stdout, 'data');
      main.kill('SIGKILL');
      const former = await readIdentity(memberLayout(options).runFile);
      expect(await isRunning(former!), 'it outlives its main process').toBe(true);
      members.set('three', await machines.start('three', { join: { endpoints: member('one').endpoints } }));
      expect(await isRunning(former!)).toBe(false);
      expect(await namesAt('one')).toEqual(['one', 'three', 'two']);
    }, 60_000);

    test('a lost machine is replaced by one of the same name', async () => {
      await member('three').stop();
      rmSync(path.join(machines.root, 'three'), { recursive: true });
      const before = (await member('one').members()).find(({ name }) => name === 'three')?.id;
      // The list may still begin with the lost member.
      const own = memberLayout(await machines.options('three')).clientUrl;
      const endpoints = [own, ...member('one').endpoints.filter((url) => url !== own)];
      members.set('three', await machines.start('three', { join: { endpoints } }));
      const after = await member('one').members();
      expect(after).toHaveLength(3);
      expect(after.find(({ name }) => name === 'three')).toMatchObject({ isLearner: false });
      expect(after.find(({ name }) => name === 'three')?.id).not.toBe(before);
    }, 60_000);

    test('a join that was cut short is undone by the next start', async () => {
      const options = await machines.options('four', { join: { endpoints: member('one').endpoints } });
      const cut = new AbortController();
      const joining = startEtcdMember({ ...options, signal: cut.signal }, environment).catch((error) => error);
      // As after a kill: the state says `joining`, and the learner stays.
      const { stateFile, data } = memberLayout(options);
      await eventually(() => expect(readFileSync(stateFile, 'utf8')).toContain('joining'));
      cut.abort(new Error('the machine lost its power'));
      const outcome = await joining;
      if (outcome instanceof Error) expect(existsSync(data)).toBe(false);
      const four = await machines.start('four', { join: { endpoints: member('one').endpoints } });
      expect(await namesAt('one')).toEqual(['four', 'one', 'three', 'two']);
      await four.leave();
      expect(await namesAt('one')).toEqual(['one', 'three', 'two']);
      expect(existsSync(data)).toBe(false);
    }, 60_000);

    longTest(
      'a member that the others removed reports it once, and does not start again',
      async () => {
        const reports: string[] = [];
        const onRemoved = (error: Error) => void reports.push(error.message);
        const join = { endpoints: member('one').endpoints };
        const removed = await machines.start('removed', { join, onRemoved });
        await member('one').remove('removed');
        const remedy =
          /has removed the etcd member removed of this machine: this server stops.*"coracle down --delete"/;
        await eventually(() => expect(reports).toEqual([expect.stringMatching(remedy)]), 20_000);
        expect(removed.health()).toBeDefined();
        await removed.stop();
        await expect(machines.start('removed')).rejects.toThrow(
          /has removed this machine: run "coracle down --delete"/,
        );
        expect(await namesAt('one')).toEqual(['one', 'three', 'two']);
      },
      60_000,
    );

    test.each([
      ['the name of a living member', 'five', { name: 'two' }, /living etcd member has the name two/],
      ['an address that is not of this machine', 'five', { address: '192.0.2.7' }, /no address of this machine/],
      ['a name that etcd cannot have', 'five', { name: 'a=b' }, /cannot be the name/],
    ])('refused: %s, and the cluster stays as it is', async (_, directory, given, message) => {
      const options = await machines.options(directory, { ...given, join: { endpoints: member('one').endpoints } });
      await expect(startEtcdMember(options, environment)).rejects.toThrow(message);
      expect(await namesAt('one')).toEqual(['one', 'three', 'two']);
      expect(existsSync(memberLayout(options).stateFile)).toBe(false);
    });

    test('refused: a taken port', async () => {
      const options = await machines.options('five', { join: { endpoints: member('one').endpoints } });
      const taken = createServer().listen(options.peerPort, '127.0.0.1');
      await once(taken, 'listening');
      await expect(startEtcdMember(options, environment)).rejects.toThrow(/taken by another program/);
      taken.close();
      expect(await namesAt('one')).toEqual(['one', 'three', 'two']);
    });

    test('refused: the etcd of another cluster', async () => {
      const ca = await makeAuthority(systemClock.now(), 'etcd-ca');
      const options = await machines.options('six', { ca, join: { endpoints: [member('one').endpoints[0]] } });
      await expect(startEtcdMember(options, environment)).rejects.toThrow(/probably the etcd of another cluster/);
      expect(existsSync(memberLayout(options).stateFile)).toBe(false);
    }, 30_000);

    longTest(
      'refused: a cluster without quorum',
      async () => {
        await Promise.all([member('two').stop(), member('three').stop()]);
        const options = await machines.options('seven', { join: { endpoints: [member('one').endpoints[0]] } });
        const refused = startEtcdMember(options, environment);
        await expect(refused).rejects.toThrow(/no quorum .*these members do not answer: .*start them again/);
        expect(existsSync(memberLayout(options).stateFile)).toBe(false);
        await eventually(() => expect(member('one').health()).toMatch(/does not serve/), 30_000);
      },
      60_000,
    );
  });

  describe('one member', () => {
    let machines: TestMachines;
    beforeEach(async () => {
      machines = await testMachines();
    });
    afterEach(() => machines.end(), 30_000);

    longTest(
      'a full database is reported, and written to again when it has space',
      async () => {
        const quotaBytes = 16 * 2 ** 20;
        const member = await machines.start('one', { quotaBytes });
        const store = await openAt(member);
        const fill = async () => {
          for (let i = 0; i < 60; i++) await store.commit([{ key: `/registry/${i}`, value: new Uint8Array(500_000) }]);
        };
        await expect(fill()).rejects.toMatchObject({ reason: 'disk-full' });
        const full = /database of etcd member one is full .*delete objects/;
        await eventually(() => expect(member.health()).toMatch(full), 60_000);
        const { entries } = await store.range({ start: '/registry/', end: '/registry0' });
        for (const { key } of entries) await store.commit([{ key }]);
        await store.compact(await store.revision());
        await eventually(() => expect(member.health()).toBeUndefined(), 60_000);
        // An alarm that ended while the deletions ran may come back once: the quota is small beside the values.
        const again = [{ key: '/registry/again', value: new Uint8Array(500_000) }];
        await eventually(() => store.commit(again), 60_000);
        await eventually(() => expect(member.health()).toBeUndefined(), 60_000);
        await store.close();
      },
      240_000,
    );

    test('a port that changed is corrected in the cluster; the last member cannot leave', async () => {
      const first = await machines.start('one');
      await first.stop();
      const { clientPort, peerPort } = await machines.options('another');
      const member = await machines.start('one', { clientPort, peerPort });
      expect((await member.members()).map(({ clientUrl }) => clientUrl)).toEqual([member.endpoints[0]]);
      await expect(member.leave()).rejects.toThrow(/last member/);
      expect(member.health()).toBeUndefined();
    }, 30_000);

    test('a member that lost its data does not begin an empty cluster', async () => {
      await (await machines.start('one')).stop();
      const { data, stateFile } = memberLayout(await machines.options('one'));
      rmSync(data, { recursive: true });
      await expect(machines.start('one')).rejects.toThrow(/data of this etcd member is missing .*coracle restore/);
      for (const text of ['', '{}', '{"phase":"member"}']) {
        writeFileSync(stateFile, text);
        await expect(machines.start('one')).rejects.toThrow(/member.json is damaged: .*coracle restore/);
      }
    }, 30_000);

    test('renewed certificates have new keys, and an open store uses them for its next connection', async () => {
      const member = await machines.start('one');
      const store = await openAt(member);
      await store.commit([{ key: '/registry/a', value: bytes('before') }]);
      const { pki } = memberLayout(await machines.options('one'));
      const keys = () =>
        ['server', 'peer', 'client'].map((name) => readFileSync(path.join(pki, `${name}.key`), 'utf8'));
      const [before, former] = [keys(), { ...member.tls }];
      await member.renewCertificates();
      for (const [index, key] of keys().entries()) expect(key).not.toBe(before[index]);
      expect(member.tls.key).toBe(keys()[2]);
      expect(await store.get('/registry/a')).toBeDefined();
      await member.members();
      // A certificate of another CA: only a new connection shows it.
      const stranger = await makeAuthority(systemClock.now(), 'stranger');
      Object.assign(member.tls, stranger);
      await expect(store.get('/registry/a')).rejects.toMatchObject({ reason: 'unreachable' });
      Object.assign(member.tls, former);
      expect(await store.get('/registry/a')).toBeDefined();
      await store.close();
    }, 30_000);

    test('its process, which outlived the main one, is ended', async () => {
      const options = await machines.options('one');
      const main = startInProcess(options);
      await once(main.stdout, 'data');
      main.kill('SIGKILL');
      const former = await readIdentity(memberLayout(options).runFile);
      expect(await isRunning(former!)).toBe(true);
      await endFormerMember(options.directory, systemClock);
      expect(await isRunning(former!)).toBe(false);
    }, 30_000);

    test('data of another cluster is not taken over: each first member forms a separate cluster', async () => {
      const [one, two] = await Promise.all([machines.start('one'), machines.start('two')]);
      const endpoints = [one.endpoints[0], two.endpoints[0]];
      const options = await machines.options('three', { join: { endpoints } });
      await expect(startEtcdMember(options, environment)).rejects.toThrow(/members of different etcd clusters/);
    }, 30_000);
  });
});

describe('the program', () => {
  let machines: TestMachines;
  beforeAll(async () => {
    machines = await testMachines();
  });
  afterAll(() => machines.end());

  /** A program that is this script. */
  function script(text: string): string {
    const file = path.join(machines.root, `program-${text.length}`);
    mkdirSync(machines.root, { recursive: true });
    writeFileSync(file, `#!/bin/sh\n${text}\n`);
    chmodSync(file, 0o755);
    return file;
  }

  test.each([
    ['is absent', () => '/nowhere/etcd', /no such program.*apt-get install etcd-server/],
    ['is too old', () => script('echo etcd Version: 3.3.25'), /etcd 3\.3\.25, and 3\.4 or newer is needed/],
    ['is another one', () => script('echo hello'), /is not etcd/],
    ['fails', () => script('exit 3'), /--version failed/],
    ['ends at once', () => script('case $1 in --version) echo etcd Version: 3.4.1;; *) exit 4;; esac'), /exit code 4/],
  ])('that %s is refused', async (_, program, message) => {
    const options = await machines.options('one', { program: program() });
    await expect(startEtcdMember(options, environment)).rejects.toThrow(message);
  });
});
