// kill -9 of the main process, or of the process of the nodes, at random moments while real containers run: none stops,
// and no log line and no exit code is lost. One such kill of each is part of the normal run (test/e2e).

import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/machinery/time/clock.ts';
import { eventually, Machine, whyNot } from '../e2e/machine.ts';
import { isLong, seed, seeded } from './long.ts';

const reason = isLong ? whyNot() : 'only with --long';
const kills = 12;

describe.skipIf(reason)(`kill -9 on native${reason ? `: ${reason}` : ''}`, () => {
  let machine: Machine;
  let up: readonly string[];
  beforeAll(() => {
    machine = new Machine();
    const data = path.join(machine.directory, 'data');
    machine.kubeconfig = path.join(data, 'kubeconfig');
    up = ['up', '--data-dir', data, '--port', '0', '--runtime', 'native', '--output', 'json'];
  });
  afterAll(() => machine?.dispose());

  const pod = (name: string, script: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image: 'coracle.local/hello', command: ['sh', '-c', script] }],
    },
  });
  const start = async (): Promise<number> => {
    const { code, stdout, stderr } = await machine.coracle(...up);
    expect(code, `${stdout}${stderr}`).toBe(0);
    return JSON.parse(stdout).pid;
  };
  const nodesProcess = async (): Promise<number | undefined> => {
    const { stdout } = await machine.coracle(
      'status',
      '--data-dir',
      path.join(machine.directory, 'data'),
      '--output',
      'json',
    );
    return JSON.parse(stdout).processes.find(({ name }: { name: string }) => name === 'nodes')?.pid;
  };
  const get = (name: string, field: string) => machine.kubectl('get', 'pod', name, '-o', `jsonpath={${field}}`);

  test('no container stops, no log line and no exit code is lost', async () => {
    const random = seeded('kills on native');
    let server = await start();
    const count = 'i=0; while :; do echo "line $i"; i=$((i+1)); sleep 0.02; done';
    await machine.apply(pod('counter', count));
    // Each ends with a distinct code, while the server runs or not.
    const codes = Array.from({ length: kills }, (_, round) => round + 1);
    for (const code of codes)
      await machine.apply(pod(`ends-${code}`, `sleep ${2 * code}; echo done ${code}; exit ${code}`));
    await machine.kubectl('wait', '--for=condition=Ready', 'pod/counter', '--timeout=60s');
    const id = await get('counter', '.status.containerStatuses[0].containerID');
    for (let round = 0; round < kills; round++) {
      await systemClock.sleep(500 + random.int(2_000));
      // After a kill it may not run yet: then the main process is the victim.
      const nodes = random.next() < 0.5 ? await nodesProcess() : undefined;
      process.kill(nodes ?? server, 'SIGKILL');
      await systemClock.sleep(random.int(1_500));
      if (nodes === undefined) server = await start();
    }
    await eventually(async () => expect(await nodesProcess()).toBeDefined(), 60_000);
    for (const code of codes) {
      await machine.kubectl('wait', '--for=jsonpath={.status.phase}=Failed', `pod/ends-${code}`, '--timeout=60s');
      const ended = await get(`ends-${code}`, '.status.containerStatuses[0].state.terminated.exitCode');
      expect(ended, `seed ${seed}`).toBe(String(code));
      expect(await machine.kubectl('logs', `ends-${code}`)).toBe(`done ${code}\n`);
    }
    expect(await get('counter', '.status.containerStatuses[0].containerID')).toBe(id);
    expect(await get('counter', '.status.containerStatuses[0].restartCount')).toBe('0');
    const lines = (await machine.kubectl('logs', 'counter')).trim().split('\n');
    expect(lines, `seed ${seed}`).toEqual(lines.map((_, i) => `line ${i}`));
    expect(lines.length).toBeGreaterThan(kills * 20);
    await machine.coracle('down', '--delete', '--data-dir', path.join(machine.directory, 'data'));
  }, 900_000);
});
