// Images and pods that try to escape from their container. Each case, or a similar one, once gave rights on the
// machine.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemRandom } from '../../machinery/random.ts';
import { type ImageConfig, ImageStore } from '../images/image-store.ts';
import type { ContainerConfig, ContainerRuntime, SandboxConfig } from '../interface.ts';
import { containerConfig } from '../runtime.contract.ts';
import { create, image, isRoot, machine, sh, toEnd } from './test-machine.ts';

describe.skipIf(!isRoot)('attacks on native containers (needs root)', () => {
  const own = isRoot ? machine() : undefined!;
  const { security } = containerConfig({ image });
  let runtime: ContainerRuntime;
  beforeAll(async () => {
    runtime = await own.open();
    await runtime.pullImage(image);
  }, 60_000);
  afterAll(() => own?.end(runtime), 60_000);

  /** The built-in image with a change; its files are shared, so they are replaced and not written to. */
  async function imageWith(name: string, change: (tree: string) => void, config: Partial<ImageConfig> = {}) {
    const store = new ImageStore(own.options.imageDirectory!, systemRandom);
    const hello = store.find(`${image}:latest`)!;
    const snapshot = `attack-${name}`;
    await store.snapshot(snapshot, async (tree) => {
      execFileSync('cp', ['-al', `${store.rootfs(hello)}/.`, tree]);
      change(tree);
    });
    const id = `sha256:${Buffer.from(name).toString('hex').padEnd(64, '0')}`;
    const reference = `attack.local/${name}:1`;
    const record = { ...hello, id, snapshot, repoTags: [reference], repoDigests: [], blobs: [] };
    await store.addRecord({ ...record, config: { ...hello.config, ...config } });
    return reference;
  }

  const replace = (path: string, text: string) => {
    rmSync(path, { force: true });
    writeFileSync(path, text);
  };

  const start = async (container: Partial<ContainerConfig>, change: Partial<SandboxConfig> = {}) => {
    const created = await create(runtime, own.logDirectory, container, change);
    await runtime.startContainer(created.id);
    return created;
  };

  const volume = (name: string) => {
    const path = join(own.directory, name);
    mkdirSync(path, { recursive: true });
    return path;
  };

  test("an image's ld.so.preload is read only by the container's programs", async () => {
    const preload = await imageWith('preload', (tree) => replace(join(tree, 'etc/ld.so.preload'), '/evil.so\n'));
    const complaints = (text: string) => text.split('\n').filter((line) => line.includes('/evil.so')).length;
    const created = await start({ ...sh('read x </dev/null; exec sleep 1000'), image: preload });
    // The shell and the `sleep` that takes its place.
    await expect.poll(() => complaints(readFileSync(created.log, 'utf8'))).toBe(2);
    const { stderr } = await runtime.execSync(created.id, ['sh', '-c', 'true'], 5000);
    expect(complaints(stderr.toString())).toBe(1);
    await runtime.removePodSandbox(created.sandbox);
  });

  test("a volume over another program's place is only a volume", async () => {
    const tools = volume('tools');
    for (const name of ['setpriv', 'env', 'umount', 'setsid', 'runc']) {
      writeFileSync(join(tools, name), `#!/bin/sh\necho ran >/tmp/${name}\n`, { mode: 0o755 });
    }
    const mounts = ['/dev/.coracle', '/usr/local/sbin', '/lib/x86_64-linux-gnu/security'].map((containerPath) => ({
      hostPath: tools,
      containerPath,
      readOnly: false,
    }));
    const created = await start({ ...sh('sleep 1000'), mounts });
    const { stdout } = await runtime.execSync(created.id, ['sh', '-c', 'ls /tmp; ls /dev/.coracle | wc -l'], 5000);
    expect(stdout.toString().trim()).toBe('5');
    await runtime.removePodSandbox(created.sandbox);
  });

  test.each(['/proc/1/root/tmp', '/proc/self/exe', '/proc', '/proc/sys/kernel', '/proc/../proc/1/attr'])(
    'a volume at %s is refused',
    async (containerPath) => {
      const mounts = [{ hostPath: volume('v'), containerPath, readOnly: false }];
      const creating = create(runtime, own.logDirectory, { ...sh('true'), mounts });
      await expect(creating).rejects.toThrow('it is inside /proc');
    },
  );

  test('links in an image do not lead a mount or a directory out of it', async () => {
    const outside = join(own.directory, 'outside');
    mkdirSync(outside);
    const up = '../'.repeat(20);
    const linked = await imageWith('links', (tree) => {
      symlinkSync(`${up}${outside.slice(1)}`, join(tree, 'relative'));
      symlinkSync(outside, join(tree, 'absolute'));
    });
    const mounts = ['/relative/a', '/absolute/b'].map((containerPath) => ({
      hostPath: volume('v'),
      containerPath,
      readOnly: false,
    }));
    const workingDir = '/absolute/made/here';
    // One runtime makes the directories inside, another refuses.
    const starting = start({ ...sh('pwd; touch file'), image: linked, mounts, workingDir });
    await starting.then(
      (created) => toEnd(runtime, created),
      (error) => expect(error).toMatchObject({ kind: 'start' }),
    );
    expect(execFileSync('find', [outside]).toString().trim()).toBe(outside);
  });

  test('a root directory that is a link to the machine is refused or stays inside', async () => {
    const linked = await imageWith('link-proc', (tree) => {
      rmSync(join(tree, 'proc'), { recursive: true });
      symlinkSync('/etc', join(tree, 'proc'));
    });
    const overEtc = () => readFileSync('/proc/self/mountinfo', 'utf8').match(/^\S+ \S+ \S+ \S+ \/etc[ /]/gm) ?? [];
    const before = overEtc();
    const created = await create(runtime, own.logDirectory, { ...sh('true'), image: linked });
    await runtime.startContainer(created.id).catch(() => {});
    expect(overEtc()).toEqual(before);
    await runtime.removePodSandbox(created.sandbox);
  });

  test('device nodes of an image do not open', async () => {
    const nodes = await imageWith('nodes', (tree) => {
      for (const [name, type, major, minor] of [
        ['mem', 'c', '1', '1'],
        ['kmsg', 'c', '1', '11'],
        ['disk', 'b', '254', '0'],
        ['null', 'c', '1', '3'],
      ])
        execFileSync('mknod', ['-m', '666', join(tree, name), type, major, minor]);
    });
    const script = 'for n in mem kmsg disk null; do head -c 0 /$n 2>&1 && echo "$n opens"; done';
    const { lines } = await toEnd(runtime, await start({ ...sh(script), image: nodes }));
    const text = lines.join('\n');
    expect(text).toContain('null opens');
    for (const name of ['mem', 'kmsg', 'disk']) {
      expect(text).not.toContain(`${name} opens`);
      expect(text).toMatch(new RegExp(`/${name}.*Operation not permitted`));
    }
  });

  test.each([
    { case: 'an entry named like the number', user: undefined, runAsUser: 1000, id: '1000' },
    { case: 'the same as the image has it', user: '1000', runAsUser: undefined, id: '1000' },
  ])('passwd does not overrule a number: $case', async ({ user, runAsUser, id }) => {
    const tricked = await imageWith(
      `passwd-${user ?? 'pod'}`,
      (tree) => replace(join(tree, 'etc/passwd'), '1000:x:0:0::/root:/bin/sh\nroot:x:0:0::/root:/bin/sh\n'),
      user ? { User: user } : {},
    );
    const more = { image: tricked, security: { ...security, ...(runAsUser && { runAsUser }) } };
    const { lines } = await toEnd(runtime, await start(sh('id -u', more)));
    expect(lines).toEqual([`stdout F ${id}`]);
  });

  test('a passwd that is a pipe, a device or a link out of the image neither blocks nor resolves', async () => {
    const shapes: Record<string, (path: string) => void> = {
      pipe: (path) => execFileSync('mkfifo', [path]),
      device: (path) => execFileSync('mknod', [path, 'c', '1', '5']),
      link: (path) => symlinkSync('/proc/self/root/etc/passwd', path),
      loop: (path) => symlinkSync('passwd', path),
    };
    for (const [name, make] of Object.entries(shapes)) {
      const odd = await imageWith(
        `passwd-${name}`,
        (tree) => {
          rmSync(join(tree, 'etc/passwd'), { force: true });
          make(join(tree, 'etc/passwd'));
        },
        { User: 'root' },
      );
      await expect(create(runtime, own.logDirectory, { ...sh('true'), image: odd }), name).rejects.toThrow(
        /unable to find user root|too many levels/,
      );
    }
  });

  test('an /etc with pipes, which the OCI runtime waits for, holds up neither its removal nor another start', async () => {
    const etc = volume('etc');
    execFileSync('mkfifo', [join(etc, 'passwd'), join(etc, 'group')]);
    const mounts = [{ hostPath: etc, containerPath: '/etc', readOnly: false }];
    const runtimes = () => execFileSync('sh', ['-c', `pgrep -fc -- '--root ${own.options.root}' || true`]).toString();
    const before = runtimes();
    for (const isTakenOver of [false, true]) {
      const { id, sandbox } = await create(runtime, own.logDirectory, { ...sh('true'), mounts });
      const starting = runtime.startContainer(id).catch((error) => error);
      const isWaiting = () => runtimes() !== before;
      await expect.poll(isWaiting, { timeout: 10_000 }).toBe(true);
      await expect(runtime.startContainer(id)).rejects.toThrow('not created');
      if (isTakenOver) {
        await runtime.close();
        runtime = await own.open();
      }
      await runtime.removePodSandbox(sandbox);
      if (!isTakenOver) expect(await starting).toMatchObject({ kind: 'start' });
      await expect.poll(runtimes, { timeout: 10_000 }).toBe(before);
    }
  });

  test('the process that holds a shared process namespace exposes no part of the machine', async () => {
    const tracing = { ...security, addCapabilities: ['SYS_PTRACE'] };
    const script = 'ls /proc/1/root; grep -E "^(Uid|CapEff|CapBnd|Seccomp):" /proc/1/status; ls /proc/1/fd';
    const created = await start(sh(script, { security: tracing }), { sharePid: true });
    const { lines } = await toEnd(runtime, created);
    const text = lines.map((line) => line.slice(9).split(/\s+/).join(' '));
    expect(text.filter((line) => !line.startsWith('lib'))).toEqual(
      [
        ...['bin', 'dev', 'proc', 'sys'],
        ...['Uid: 65535 65535 65535 65535', 'CapEff: 0000000000000000', 'CapBnd: 0000000000000000', 'Seccomp: 2'],
        ...['0', '1', '2'],
      ].filter(Boolean),
    );
    await runtime.removePodSandbox(created.sandbox);
  });

  test('a sysctl that would change the machine is refused', async () => {
    const core = readFileSync('/proc/sys/kernel/core_pattern', 'utf8');
    for (const name of [
      'kernel.core_pattern',
      'kernel/core_pattern',
      'net.ipv4.../../kernel/core_pattern',
      'vm.swappiness',
    ])
      await expect(create(runtime, own.logDirectory, {}, { sysctls: { [name]: '|/tmp/evil' } }), name).rejects.toThrow(
        'is not in a separate kernel namespace',
      );
    await expect(
      create(runtime, own.logDirectory, {}, { sysctls: { 'net.ipv4.ip_forward': '1' }, hostNetwork: true }),
    ).rejects.toThrow('not allowed with host net enabled');
    expect(readFileSync('/proc/sys/kernel/core_pattern', 'utf8')).toBe(core);
  });

  test('features that this machine lacks are refused with a reason', async () => {
    const cases: [Partial<ContainerConfig>, Partial<SandboxConfig>, string][] = [
      [{ security: { ...security, addCapabilities: ['FLY'] } }, {}, 'unknown capability "CAP_FLY"'],
      [{ security: { ...security, seccomp: { type: 'Localhost', localhostRef: '/nosuch' } } }, {}, 'seccomp profile'],
    ];
    if (!existsSync('/sys/module/apparmor'))
      cases.push([{ security: { ...security, appArmor: { type: 'RuntimeDefault' } } }, {}, 'AppArmor is not enabled']);
    if (!runtime.features.userNamespaces)
      cases.push([{}, { userNamespace: { hostId: 65_536, length: 65_536 } }, 'does not support user namespaces:']);
    for (const [container, sandbox, says] of cases)
      await expect(create(runtime, own.logDirectory, container, sandbox), says).rejects.toThrow(says);
  });

  test('a Localhost profile of seccomp is in force', async () => {
    const localhostRef = join(own.directory, 'no-mkdir.json');
    const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 };
    writeFileSync(localhostRef, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }));
    const more = { security: { ...security, seccomp: { type: 'Localhost', localhostRef } as const } };
    const { lines } = await toEnd(runtime, await start(sh('mkdir /x || touch /y && echo only files', more)));
    expect(lines).toContain('stdout F only files');
  });
});
