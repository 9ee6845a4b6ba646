// kill -9 of the main process at a random moment of `store migrate`, while a client writes: the next `up` has every
// acknowledged write, with a later version than before, in the embedded store or in etcd.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/machinery/time/clock.ts';
import { eventually, type Machine, Networks, whyNot } from '../e2e/machine.ts';
import type { SteadyRecord } from '../e2e/steady-client.ts';
import { isLong, seed, seeded } from './long.ts';

const reason = isLong ? whyNot('/usr/sbin/nft', '/usr/sbin/bridge', '/usr/bin/etcd') : 'only with --long';
const rounds = 12;
/** The command takes seconds; later kills are those of the start as a server. */
const longestMs = 8_000;

describe.skipIf(reason)(`kill -9 while the store moves${reason ? `: ${reason}` : ''}`, () => {
  const random = seeded('kills of a migration');
  let networks: Networks;
  beforeAll(() => {
    networks = new Networks();
  });
  afterAll(() => networks?.dispose());

  test.each(Array.from({ length: rounds }, (_, round) => round))(
    `round %i (seed ${seed})`,
    async () => {
      const machine = networks.machine('one');
      machine.kubeconfig = path.join(machine.dataDirectory, 'kubeconfig');
      try {
        await killedOnce(machine, random.int(longestMs));
      } finally {
        await machine.own('down', '--delete');
        machine.dispose();
      }
    },
    180_000,
  );
});

async function killedOnce(machine: Machine, afterMs: number): Promise<void> {
  const up = ['up', '--node-name', 'first', '--node-ip', machine.address];
  await machine.must(...up);
  const client = path.join(import.meta.dirname, '../e2e/steady-client.ts');
  const steady = machine.background(process.execPath, [client, machine.kubeconfig]);
  const ended = new Promise((resolve) => steady.child.once('close', resolve));
  await eventually(async () => expect(await namesAt(machine)).toContain('steady-20'));
  const before = await newestVersion(machine);
  const { pid } = JSON.parse(readFileSync(path.join(machine.dataDirectory, 'run.json'), 'utf8'));
  const moving = machine.own('store', 'migrate', '--to', 'etcd');
  await systemClock.sleep(afterMs);
  process.kill(pid, 'SIGKILL');
  await moving;
  await machine.must(...up);
  steady.child.stdin?.end();
  await ended;
  const { acknowledged }: SteadyRecord = JSON.parse(steady.text());
  const names = new Set(await namesAt(machine));
  expect(acknowledged.filter((name) => !names.has(name))).toEqual([]);
  expect(await newestVersion(machine)).toBeGreaterThan(before);
  await eventually(() => machine.must('status'), 60_000);
}

async function namesAt(machine: Machine): Promise<string[]> {
  const text = await machine.kubectl('get', 'configmaps', '-o', 'name');
  return text
    .trim()
    .split('\n')
    .map((name) => name.replace('configmap/', ''));
}

async function newestVersion(machine: Machine): Promise<number> {
  const list = await machine.kubectl('get', '--raw', '/api/v1/namespaces/default/configmaps?limit=1');
  return Number(JSON.parse(list).metadata.resourceVersion);
}
