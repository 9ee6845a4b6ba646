import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../machinery/time/clock.ts';
import type { ContainerRuntime } from '../../interface.ts';
import { create, isRoot, machine, sh } from '../test-machine.ts';

describe.skipIf(!isRoot || availableParallelism() < 2)('the CPUs of a container', () => {
  const own = machine();
  let runtime: ContainerRuntime;
  beforeAll(async () => {
    runtime = await own.open();
  });
  afterAll(() => own.end(runtime));

  test('are those of its configuration, and change while it runs', async () => {
    const resources = { cpuShares: 2, cpusetCpus: '1', cpusetMems: '0' };
    const made = await create(runtime, own.logDirectory, sh('exec sleep 100', { resources }));
    await runtime.startContainer(made.id);
    const allowed = async () => {
      const { pid } = (await runtime.containerStatus(made.id)) ?? {};
      return /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    };
    expect(await allowed()).toBe('1');
    await runtime.updateContainerResources(made.id, { cpusetCpus: '0-1' });
    for (let i = 0; i < 100 && (await allowed()) !== '0-1'; i++) await systemClock.sleep(10);
    expect(await allowed()).toBe('0-1');
    await runtime.stopContainer(made.id, 0);
  });
});
