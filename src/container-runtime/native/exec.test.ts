import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ContainerRuntime } from '../interface.ts';
import { create, image, isRoot, machine, sh } from './test-machine.ts';

describe.skipIf(!isRoot)('processes in native containers (needs root)', () => {
  const own = isRoot ? machine() : undefined!;
  let runtime: ContainerRuntime;
  beforeAll(async () => {
    runtime = await own.open();
    await runtime.pullImage(image);
  }, 60_000);
  afterAll(() => own?.end(runtime), 60_000);

  test('a process whose client goes while it starts ends', async () => {
    const { id } = await create(runtime, own.logDirectory, sh('sleep 1000'));
    await runtime.startContainer(id);
    const closed = Array.from({ length: 16 }, async (_, index) => {
      const options = { stdin: false, tty: index % 4 === 0, stdout: true, stderr: true };
      const session = await runtime.exec(id, ['sleep', '4321'], options);
      await new Promise((resolve) => setTimeout(resolve, 8 * index));
      session.close();
      return session.exitCode.catch(() => -1);
    });
    expect(await Promise.all(closed)).not.toContain(0);
    const { stdout } = await runtime.execSync(id, ['ps', 'ax'], 5000);
    expect(stdout.toString()).not.toContain('sleep 4321');
  });
});
