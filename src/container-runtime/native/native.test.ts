import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../machinery/time/clock.ts';
import type { ContainerConfig, ContainerRuntime, ExecSession, SandboxConfig } from '../interface.ts';
import { isolationContract } from '../isolation.contract.ts';
import { containerConfig, runtimeContract } from '../runtime.contract.ts';
import { destroyNativeRuntime } from './native.ts';
import {
  type Created,
  cgroupsOf,
  create as createIn,
  image,
  isRoot,
  logLines,
  machine,
  sh,
  toEnd as toEndIn,
} from './test-machine.ts';

/** In the words of runc or of crun. */
const notFound = /(exec: "nosuch": executable file|executable file `nosuch`) not found in \$PATH/;

describe.skipIf(!isRoot)('native (needs root)', () => {
  runtimeContract('native', async () => {
    const own = machine();
    const runtime = await own.open();
    return {
      runtime,
      image,
      startLine: 'listens on port',
      logDirectory: own.logDirectory,
      end: () => own.end(runtime),
    };
  });

  isolationContract('native', async () => {
    const own = machine();
    const runtime = await own.open();
    return { runtime, image, logDirectory: own.logDirectory, end: () => own.end(runtime) };
  });

  const own = isRoot ? machine() : undefined!;
  let runtime: ContainerRuntime;
  beforeAll(async () => {
    runtime = await own.open();
    await runtime.pullImage(image);
  }, 60_000);
  afterAll(() => own?.end(runtime), 60_000);

  const create = (container: Partial<ContainerConfig> = {}, change: Partial<SandboxConfig> = {}) =>
    createIn(runtime, own.logDirectory, container, change);

  async function run(container: Partial<ContainerConfig> = {}, change: Partial<SandboxConfig> = {}) {
    const created = await create(container, change);
    await runtime.startContainer(created.id);
    return created;
  }

  const toEnd = (created: Pick<Created, 'id' | 'log'>) => toEndIn(runtime, created);

  test('a log has every line of both streams, in the CRI format', async () => {
    const { lines } = await toEnd(await run(sh('echo one; echo two >&2; printf three')));
    expect(lines.toSorted()).toEqual(['stderr F two', 'stdout F one', 'stdout P three']);
  });

  test('a long line is split at 16 KiB', async () => {
    const { lines } = await toEnd(await run(sh('head -c 40000 /dev/zero | tr "\\\\0" x; echo')));
    expect(lines.map((line) => line.slice(0, 9) + line.length)).toEqual(
      ['stdout P 16393', 'stdout P 16393', 'stdout F 7241'].map((entry) => entry.slice(0, 9) + entry.slice(9)),
    );
  });

  test.each([
    { case: 'an exit code', script: 'exit 42', exitCode: 42, reason: 'Error' },
    { case: 'success', script: 'true', exitCode: 0, reason: 'Completed' },
    { case: 'a signal', script: 'sh -c "kill -SEGV \\$\\$"', exitCode: 139, reason: 'Error' },
  ])('an exit is reported: $case', async ({ script, exitCode, reason }) => {
    const { status } = await toEnd(await run(sh(script)));
    expect(status).toMatchObject({ exitCode, reason });
  });

  test('more memory than the limit is OOMKilled', async () => {
    const hog = ['node', '-e', 'const a=[];for(;;)a.push(Buffer.alloc(1e6,1))'];
    const { status, lines } = await toEnd(await run({ command: hog, resources: { memoryLimitBytes: 64 * 2 ** 20 } }));
    expect(status, lines.join('\n')).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
  });

  const security = containerConfig({ image }).security;
  test.each([
    { case: 'root by default', security, script: 'id -u', out: '0' },
    {
      case: 'the pod says who',
      security: { ...security, runAsUser: 1000, runAsGroup: 3000, supplementalGroups: [2000] },
      script: 'id -u; id -g; id -G; grep CapEff /proc/self/status',
      out: '1000 3000 3000 2000 CapEff:\t0000000000000000',
    },
    {
      case: 'no capability is left',
      security: { ...security, dropCapabilities: ['ALL'] },
      script: 'grep CapEff /proc/self/status',
      out: 'CapEff:\t0000000000000000',
    },
    {
      case: 'one capability comes back',
      security: { ...security, dropCapabilities: ['ALL'], addCapabilities: ['NET_BIND_SERVICE'] },
      script: 'grep CapEff /proc/self/status',
      out: 'CapEff:\t0000000000000400',
    },
    {
      case: 'no new privileges',
      security: { ...security, noNewPrivileges: true },
      script: 'grep NoNewPrivs /proc/self/status',
      out: 'NoNewPrivs:\t1',
    },
    {
      case: 'a read-only root',
      security: { ...security, readOnlyRootFilesystem: true },
      script: 'touch /x 2>/dev/null || echo no; touch /dev/shm/x && echo yes',
      out: 'no yes',
    },
    {
      case: 'nothing written below /proc/sys',
      security,
      script: 'echo x 2>/dev/null >/proc/sys/kernel/hostname || echo no',
      out: 'no',
    },
    {
      case: 'a privileged one may',
      security: { ...security, privileged: true },
      script: 'echo renamed >/proc/sys/kernel/hostname && hostname',
      out: 'renamed',
    },
  ])('security: $case', async ({ security, script, out }) => {
    const { lines, status } = await toEnd(await run(sh(script, { security })));
    expect(lines.map((line) => line.slice(9)).join(' ')).toBe(out);
    expect(status.exitCode).toBe(0);
  });

  test('a container sees only its processes, name, address and files', async () => {
    const hosts = join(own.directory, 'my-hosts');
    writeFileSync(hosts, '1.2.3.4 example\n');
    const volume = join(own.directory, 'volume with space');
    mkdirSync(volume, { recursive: true });
    const { lines } = await toEnd(
      await run(
        sh(
          'echo $$; hostname; cat /etc/hosts; echo "$GREETING-$UNSET"; pwd; touch "/data/deep/new" && ls /data/deep; cat /dev/termination-log /run/secrets/token',
          {
            env: [{ key: 'GREETING', value: "it's a $HOME" }],
            workingDir: '/made/for/me',
            mounts: [
              { hostPath: hosts, containerPath: '/etc/hosts', readOnly: true },
              { hostPath: volume, containerPath: '/data/deep', readOnly: false },
              { hostPath: hosts, containerPath: '/dev/termination-log', readOnly: true },
              { hostPath: hosts, containerPath: '/var/run/secrets/token', readOnly: true },
            ],
          },
        ),
        { hostname: 'me' },
      ),
    );
    expect(lines.map((line) => line.slice(9))).toEqual([
      '1',
      'me',
      '1.2.3.4 example',
      "it's a $HOME-",
      '/made/for/me',
      'new',
      '1.2.3.4 example',
      '1.2.3.4 example',
    ]);
    expect(existsSync(join(volume, 'new'))).toBe(true);
  });

  test('containers of a pod that shares its processes see each other, and end one by one', async () => {
    const shared = await run(sh('sleep 111 & sleep 222'), { sharePid: true });
    const other = await runtime.createContainer(
      shared.sandbox,
      containerConfig({ image, name: 'other', logPath: 'other.log', command: ['sleep', '333'] }),
      shared.config,
    );
    await runtime.startContainer(other);
    const processes = async (id: string) => (await runtime.execSync(id, ['ps', 'ax'], 5000)).stdout.toString();
    expect(await processes(other)).toContain('sleep 222');
    await runtime.stopContainer(shared.id, 5);
    expect(await runtime.containerStatus(shared.id)).toMatchObject({ exitCode: 143 });
    const left = await processes(other);
    expect(left).not.toContain('sleep 111');
    expect(left).toContain('sleep 333');
    await runtime.removePodSandbox(shared.sandbox);
  });

  test('a command that is not in the image fails the start by name', async () => {
    const { id } = await create({ command: ['nosuch'] });
    await expect(runtime.startContainer(id)).rejects.toThrow(notFound);
    expect(await runtime.containerStatus(id)).toMatchObject({ state: 'exited', exitCode: 128, reason: 'StartError' });
  });

  test('a volume that does not exist fails the creation by name', async () => {
    const mounts = [{ hostPath: '/nosuch/volume', containerPath: '/data', readOnly: false }];
    await expect(create({ mounts })).rejects.toThrow('failed to stat "/nosuch/volume"');
  });

  test('pods reach each other, and themselves at their own address', async () => {
    const [a, b] = await Promise.all([run(), run()]);
    const [ip] = (await runtime.listPodSandboxes()).find((s) => s.id === b.sandbox)!.ips;
    for (const { id } of [a, b]) {
      const { stdout, stderr } = await retry(() => runtime.execSync(id, ['wget', '-qO-', `http://${ip}:8080/`], 5000));
      expect(stdout.toString() + stderr).toContain(`Hello from pod ${b.config.name}`);
    }
  });

  test('exec: input, both outputs, exit code; and its end at the time-out', async () => {
    const { id } = await run();
    const session = await runtime.exec(id, ['sh', '-c', 'cat; echo err >&2; exit 3'], {
      stdin: true,
      tty: false,
      stdout: true,
      stderr: true,
    });
    session.stdin!.end('through');
    expect(await text(session)).toEqual({ stdout: 'through', stderr: 'err\n', exitCode: 3 });
    await expect(runtime.execSync(id, ['nosuch'], 1000)).rejects.toThrow(notFound);
    await expect(runtime.execSync(id, ['sleep', '30'], 200)).rejects.toMatchObject({ kind: 'timeout' });
    const { stdout } = await runtime.execSync(id, ['ps', 'ax'], 5000);
    expect(stdout.toString()).not.toContain('sleep 30');
  });

  test('exec with a terminal of the requested size', async () => {
    const { id } = await run();
    const session = await runtime.exec(id, ['sh'], { stdin: true, tty: true, stdout: true, stderr: false });
    session.resize(100, 30);
    session.stdin!.write('while test "$(stty size)" = "0 0"; do sleep 0.1; done; test -t 0 && stty size; exit 5\r');
    const { stdout, exitCode } = await text(session);
    expect(stdout).toContain('30 100');
    expect(exitCode).toBe(5);
  });

  test('attach to a container with a terminal', async () => {
    const { id } = await run({ command: ['sh'], stdin: true, tty: true });
    const session = await runtime.attach(id, { stdin: true, tty: true, stdout: true, stderr: false });
    session.resize(90, 20);
    await systemClock.sleep(100);
    session.stdin!.write('stty size; tty; exit 6\r');
    const { stdout, exitCode } = await text(session);
    expect(stdout).toContain('20 90');
    expect(exitCode).toBe(6);
  });

  test('attach with stdinOnce: the end of input reaches the container', async () => {
    const created = await run({ ...sh('cat; echo done'), stdin: true, stdinOnce: true });
    const session = await runtime.attach(created.id, { stdin: true, tty: false, stdout: true, stderr: true });
    session.stdin!.end('typed\n');
    expect(await text(session)).toMatchObject({ stdout: 'typed\ndone\n', exitCode: 0 });
    expect((await toEnd(created)).lines).toEqual(['stdout F typed', 'stdout F done']);
  });

  test('attach without stdinOnce: the end of input ends the session, and the next one goes on', async () => {
    const created = await run({ ...sh('while read x; do echo $x; test $x = last && exit 4; done'), stdin: true });
    for (const [line, exitCode] of [
      ['first', 0],
      ['last', 4],
    ] as const) {
      const session = await runtime.attach(created.id, { stdin: true, tty: false, stdout: true, stderr: true });
      if (line === 'last') session.stdin!.write(`${line}\n`);
      else session.stdin!.end(`${line}\n`);
      expect((await text(session)).exitCode).toBe(exitCode);
    }
    expect((await toEnd(created)).lines).toEqual(['stdout F first', 'stdout F last']);
  });

  test('port-forward reaches the loopback, and reports a closed port', async () => {
    const { id, sandbox } = await run({
      command: ['node', '-e', "require('http').createServer((q,r)=>r.end('local')).listen(9000,'127.0.0.1')"],
    });
    await retry(async () => {
      const stream = await runtime.portForward(sandbox, 9000);
      stream.end('GET / HTTP/1.0\r\n\r\n');
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      expect(Buffer.concat(chunks).toString()).toContain('local');
      return { exitCode: 0 };
    });
    await expect(runtime.portForward(sandbox, 9001)).rejects.toThrow('failed to connect to localhost:9001');
    await runtime.stopContainer(id, 0);
  });

  test('a log continues in a new file after the old one was moved', async () => {
    const { id, log } = await run(sh('echo before; read x; echo after; sleep 100', { stdin: true }));
    await retry(async () => ({ exitCode: existsSync(log) && readFileSync(log, 'utf8').includes('before') ? 0 : 1 }));
    execFileSync('mv', [log, `${log}.1`]);
    await runtime.reopenContainerLog(id);
    const session = await runtime.attach(id, { stdin: true, tty: false, stdout: true, stderr: true });
    session.stdin!.write('\n');
    await retry(async () => ({ exitCode: readFileSync(log, 'utf8').includes('after') ? 0 : 1 }));
    expect(readFileSync(`${log}.1`, 'utf8')).not.toContain('after');
    session.close();
  });

  test('limits of a running container change, also above its previous limit with swap', async () => {
    const { id } = await run(sh('sleep 60', { resources: { memoryLimitBytes: 64 * 2 ** 20, cpuQuota: 10_000 } }));
    for (const mebibytes of [80, 32, 128]) {
      const resources = { memoryLimitBytes: mebibytes * 2 ** 20, cpuQuota: mebibytes * 1000, cpuPeriod: 100_000 };
      await runtime.updateContainerResources(id, resources);
      const files =
        'cd /sys/fs/cgroup; cat memory.max 2>/dev/null || cat memory/memory.limit_in_bytes; cat cpu.max 2>/dev/null || cat cpu/cpu.cfs_quota_us';
      const { stdout } = await runtime.execSync(id, ['sh', '-c', files], 5000);
      const [memory, cpu] = stdout.toString().split('\n');
      expect([memory, cpu.split(' ')[0]]).toEqual([String(resources.memoryLimitBytes), String(resources.cpuQuota)]);
    }
  });

  test('a container sees the processes of its target container', async () => {
    const { id: target, sandbox, config } = await run(sh('exec sleep 4242'));
    const look = containerConfig({
      image,
      logPath: `${config.uid}/look.log`,
      targetContainerId: target,
      ...sh('cat /proc/1/cmdline | tr "\\0" " "'),
    });
    const id = await runtime.createContainer(sandbox, look, config);
    await runtime.startContainer(id);
    const { lines } = await toEnd({ id, log: join(own.logDirectory, look.logPath) });
    expect(lines).toEqual(['stdout P sleep 4242 ']);
  });

  test('usage is counted', async () => {
    const { id } = await run();
    const usage = await retry(async () => {
      const found = (await runtime.containerStats()).find((stats) => stats.id === id);
      return { ...found, exitCode: found && found.cpuNanoseconds > 0 && found.memoryWorkingSetBytes > 1e6 ? 0 : 1 };
    });
    expect(usage.memoryWorkingSetBytes).toBeGreaterThan(1e6);
  });

  test('Coracle and the log keeper crash and restart: no container stops, no line and no exit code is lost', async () => {
    const script = 'i=0; while [ $i -lt 100 ]; do echo $i; i=$((i+1)); sleep 0.02; done; exit 9';
    const lasting = await run();
    const writing = await run(sh(script));
    const { pid } = (await runtime.containerStatus(lasting.id))!;
    await runtime.close();
    const keeper = execFileSync('pgrep', ['-f', `shim.ts logs ${own.options.root} `])
      .toString()
      .trim();
    process.kill(Number(keeper), 'SIGKILL');
    await systemClock.sleep(500);
    runtime = await own.open();
    expect(await runtime.containerStatus(lasting.id)).toMatchObject({ state: 'running', pid });
    const { status, lines } = await toEnd(writing);
    expect(status.exitCode).toBe(9);
    expect(lines).toEqual(Array.from({ length: 100 }, (_, i) => `stdout F ${i}`));
    // The one that ended unseen.
    const quick = await run(sh('sleep 0.3; echo last; exit 8'));
    await runtime.close();
    await systemClock.sleep(600);
    runtime = await own.open();
    expect(await runtime.containerStatus(quick.id)).toMatchObject({ state: 'exited', exitCode: 8 });
    expect(logLines(quick.log)).toEqual(['stdout F last']);
  });

  test('destroyAll removes everything, also after a crash', async () => {
    const { config } = await run();
    const child = spawn('true');
    await new Promise((resolve) => child.on('close', resolve));
    await runtime.close();
    await destroyNativeRuntime(own.options);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(`${own.options.root}/`);
    expect(cgroupsOf(dirname(config.cgroupParent))).toEqual([]);
    const links = execFileSync('nsenter', [`--net=${own.options.networkNamespace}`, 'ip', '-o', 'link']).toString();
    expect(links.trim().split('\n')).toHaveLength(1);
    runtime = await own.open();
  });
});

async function text(session: ExecSession) {
  const read = async (stream?: AsyncIterable<Buffer>) => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream ?? []) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  const [stdout, stderr, exitCode] = await Promise.all([read(session.stdout), read(session.stderr), session.exitCode]);
  return { stdout, stderr, exitCode };
}

async function retry<Result extends { exitCode: number }>(attempt: () => Promise<Result>): Promise<Result> {
  for (let i = 0; ; i++)
    try {
      const result = await attempt();
      if (result.exitCode === 0 || i > 50) return result;
      await systemClock.sleep(50);
    } catch (error) {
      if (i > 50) throw error;
      await systemClock.sleep(50);
    }
}
