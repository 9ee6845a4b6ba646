// How containers end that are not alone: in a process namespace shared with others, and out of memory.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../machinery/time/clock.ts';
import type { ContainerRuntime } from '../../interface.ts';
import { containerConfig } from '../../runtime.contract.ts';
import { create, image, isRoot, machine, sh, toEnd } from '../test-machine.ts';

describe.skipIf(!isRoot)('ends on native', () => {
  const own = isRoot ? machine() : undefined!;
  let runtime: ContainerRuntime;
  beforeAll(async () => {
    runtime = await own.open();
  }, 60_000);
  afterAll(() => own.end(runtime), 60_000);

  test.each([
    { case: 'at once', restarts: false },
    { case: 'while no kubelet looked', restarts: true },
  ])('a container ends although another one holds its output open: $case', async ({ restarts }) => {
    const main = await create(runtime, own.logDirectory, sh('echo hi; sleep 1.5; exit 3'), { sharePid: true });
    const find =
      'for p in /proc/[0-9]*; do tr "\\0" " " <$p/cmdline | grep -q "^sleep 1.5" && exec sleep 30 >$p/fd/1; done';
    const mateConfig = containerConfig({ image, name: 'mate', logPath: 'mate/0.log', ...sh(`sleep 0.5; ${find}`) });
    const mate = await runtime.createContainer(main.sandbox, mateConfig, main.config);
    await runtime.startContainer(main.id);
    await runtime.startContainer(mate);
    if (restarts) {
      await runtime.close();
      await systemClock.sleep(2000);
      runtime = await own.open();
    }
    const { status, lines } = await toEnd(runtime, main);
    expect(status).toMatchObject({ exitCode: 3, reason: 'Error' });
    expect(lines).toEqual(['stdout F hi']);
    expect(await runtime.containerStatus(mate)).toMatchObject({ state: 'running' });
    await runtime.removePodSandbox(main.sandbox);
  });

  test("an out-of-memory kill of any process is the reason of the container's end", async () => {
    const hog = `node -e 'const a=[];for(;;)a.push(Buffer.alloc(1e6,1))'; exit 5`;
    const created = await create(runtime, own.logDirectory, {
      ...sh(hog),
      resources: { memoryLimitBytes: 64 * 2 ** 20 },
    });
    await runtime.startContainer(created.id);
    const { status } = await toEnd(runtime, created);
    expect(status.reason).toBe('OOMKilled');
    // On cgroup v2 all of its processes are killed.
    expect([5, 137]).toContain(status.exitCode);
  });
});
