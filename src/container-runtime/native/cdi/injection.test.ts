import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ContainerRuntime } from '../../interface.ts';
import { createNativeRuntime } from '../native.ts';
import { create, isRoot, machine, sh, toEnd } from '../test-machine.ts';

describe.skipIf(!isRoot)('a container with CDI devices', () => {
  const own = machine();
  const directory = join(own.directory, 'cdi');
  const hooked = join(own.directory, 'hooked');
  let runtime: ContainerRuntime;
  beforeAll(async () => {
    mkdirSync(join(directory, 'shared'), { recursive: true });
    writeFileSync(join(directory, 'shared', 'file'), 'of the device');
    const edits = {
      env: ['DEVICE=gpu0', 'HOME=/device'],
      deviceNodes: [{ path: '/dev/gpu0', hostPath: '/dev/null', permissions: 'r' }],
      mounts: [{ hostPath: join(directory, 'shared'), containerPath: '/device', options: ['rbind', 'ro'] }],
      hooks: [{ hookName: 'createRuntime', path: '/bin/sh', args: ['sh', '-c', `echo ran >${hooked}`] }],
    };
    const devices = [{ name: 'gpu0', containerEdits: edits }];
    writeFileSync(join(directory, 'd.json'), JSON.stringify({ cdiVersion: '0.6.0', kind: 'test.dev/gpu', devices }));
    runtime = await createNativeRuntime({ ...own.options, cdiDirectories: [directory] });
    await runtime.updatePodCidrs(['10.88.0.0/24']);
  });
  afterAll(() => own.end(runtime));

  test('has their variables, nodes and mounts, and their hooks ran', async () => {
    const script = 'echo $DEVICE $HOME; cat /device/file; echo; [ -c /dev/gpu0 ] && echo node; echo >/device/x';
    const made = await create(runtime, own.logDirectory, sh(script, { cdiDevices: ['test.dev/gpu=gpu0'] }));
    await runtime.startContainer(made.id);
    const { status, lines } = await toEnd(runtime, made);
    expect(lines.slice(0, 3)).toEqual(['stdout F gpu0 /device', 'stdout F of the device', 'stdout F node']);
    expect(lines.join()).toContain('Read-only file system');
    expect(status.exitCode).not.toBe(0);
    expect(existsSync(hooked)).toBe(true);
  });

  test('that the machine does not have is not made', async () => {
    const made = create(runtime, own.logDirectory, sh('true', { cdiDevices: ['test.dev/gpu=gpu1'] }));
    await expect(made).rejects.toThrow('CDI device injection failed: unresolvable CDI devices test.dev/gpu=gpu1');
  });
});
