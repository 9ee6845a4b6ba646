// The main job of a user with real kubectl: the same for every runtime and proxy mode.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { isLong } from '../long/long.ts';
import { eventually, Machine } from './machine.ts';
import { networkTests } from './main-job-network.ts';
import { podTests } from './main-job-pods.ts';
import { image, shell, User } from './main-job-user.ts';

export interface Setting {
  readonly runtime: 'native' | 'cri';
  readonly proxyMode: 'nftables' | 'userspace';
  /** Starts the runtime's daemons; resolves with additional arguments of `up`. */
  prepare?(machine: Machine): Promise<readonly string[]>;
}

export function mainJob(setting: Setting): void {
  const { runtime, proxyMode } = setting;
  const user = new User(runtime === 'native' || isLong);
  const { cluster, kubectl, get, podsThatAnswer } = user;
  describe(`the main job on ${runtime}, services through ${proxyMode}`, () => {
    let machine: Machine;
    let data: string;
    let up: readonly string[];

    beforeAll(async () => {
      machine = new Machine();
      user.machine = machine;
      data = user.data;
      machine.kubeconfig = path.join(data, 'kubeconfig');
      const more = (await setting.prepare?.(machine)) ?? [];
      up = ['up', '--data-dir', data, '--port', '0', '--runtime', runtime, '--proxy-mode', proxyMode, ...more];
    });
    afterAll(() => machine?.dispose());

    const pid = async () => JSON.parse((await cluster('status', '--output', 'json')).stdout).pid as number;
    const crash = async () => {
      const main = await pid();
      process.kill(main, 'SIGKILL');
      await eventually(() => expect(machine.processes()).not.toContain(main));
    };
    const upAgain = async () => {
      const { code, stderr, stdout } = await machine.coracle(...up);
      expect(code, `${stdout}${stderr}`).toBe(0);
    };

    /** Every pod that was there after some test. */
    const seen = new Set<string>();
    afterEach(async () => {
      const { code, stdout } = await machine.tryKubectl([
        'get',
        'pods',
        '-A',
        '-o',
        'jsonpath={.items[*].metadata.uid}',
      ]);
      if (code === 0) for (const uid of stdout.split(' ')) if (uid) seen.add(uid);
    });

    test('up prints each step and the kubeconfig, and returns when the node is Ready', async () => {
      const { code, stdout, stderr } = await machine.coracle(...up);
      expect(code, `${stdout}${stderr}`).toBe(0);
      expect(stdout).toMatch(/^ {2}kube-apiserver +\d/m);
      expect(stdout).toMatch(/^ {2}node Ready +\d/m);
      expect(stdout).toContain(`export KUBECONFIG=${machine.kubeconfig}`);
      expect(await kubectl('get', 'nodes', '-o', 'wide')).toMatch(
        new RegExp(` Ready .* v1\\.36\\.\\S+ +${machine.address} .*${runtime === 'cri' ? 'containerd' : 'native'}://`),
      );
    });

    test.runIf(user.isThorough)('up of a running cluster reports it', async () => {
      const { code, stdout } = await machine.coracle(...up, '--output', 'json');
      expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 0, started: false, pid: await pid() });
    });

    test('a deployment rolls out and is exposed', async () => {
      await kubectl('create', 'deployment', 'web', `--image=${image}`, '--replicas=3');
      await kubectl('expose', 'deployment', 'web', '--port=80', '--target-port=8080', '--type=NodePort');
      const said = await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
      expect(said).toContain('deployment "web" successfully rolled out');
    });

    test('a pod begins to write much: its log is looked at below', async () => {
      const lines =
        'i=0; while [ $i -lt 130000 ]; do echo "line $i of a log that is long enough to be rotated"; i=$((i+1)); done';
      await machine.apply(shell('loud', `${lines}; echo written; sleep 1000`));
    });

    test('curl of the cluster IP and of the node port reaches all three pods', async () => {
      const ip = await get('service web', '.spec.clusterIP');
      const port = await get('service web', '.spec.ports[0].nodePort');
      await eventually(async () => expect((await machine.curl(`http://${ip}`)).code).toBe(0));
      // Without a readiness probe a pod is Ready before its program listens.
      await eventually(async () => {
        const logs = await kubectl('logs', '-l', 'app=web', '--prefix');
        expect(logs.match(/listens on port/g)).toHaveLength(3);
      });
      expect(await podsThatAnswer(`http://${ip}`, 3)).toBe(3);
      expect(await podsThatAnswer(`http://${machine.address}:${port}`, 3)).toBe(3);
    });

    podTests(user);
    networkTests(user);

    test('a command that is not in the image', async () => {
      await machine.apply(shell('wrong', '', { containers: [{ name: 'main', image, command: ['/no/such/command'] }] }));
      await eventually(async () => {
        const state = JSON.parse(await get('pod wrong', '.status.containerStatuses[0].state'));
        const { reason, message } = state.terminated ?? state.waiting;
        expect(reason).toMatch(/^(StartError|RunContainerError|ContainerCannotRun)$/);
        expect(message).toMatch(/no such file or directory/);
      });
      expect(await kubectl('get', 'events', '--field-selector=involvedObject.name=wrong')).toMatch(
        /Warning +Failed .*\/no\/such\/command.*no such file or directory/,
      );
      await kubectl('delete', 'pod', 'wrong');
    });

    test('an image that does not exist', async () => {
      const reference = '127.0.0.1:1/none:1';
      await machine.apply(shell('missing', '', { containers: [{ name: 'main', image: reference }] }));
      await eventually(async () => {
        const state = JSON.parse(await get('pod missing', '.status.containerStatuses[0].state'));
        expect(state.waiting.reason).toMatch(/^(ErrImagePull|ImagePullBackOff)$/);
        expect(state.waiting.message).toContain(reference);
      });
      const events = await kubectl('get', 'events', '--field-selector=involvedObject.name=missing');
      expect(events).toContain(`Pulling image "${reference}"`);
      expect(events).toContain(`Failed to pull image "${reference}"`);
      expect(events).toContain('Error: ErrImagePull');
      await kubectl('delete', 'pod', 'missing');
    });

    test('kubectl top shows the usage of nodes, pods and containers', async () => {
      expect(await kubectl('top', 'nodes', '--no-headers')).toMatch(/^\S+ +\d+m +\d+% +\d+Mi +\d+% *\n$/);
      const usage = /^web-\S+ +hello +\d+m +[1-9]\d*Mi *$/m;
      const containers = () => kubectl('top', 'pods', '-l', 'app=web', '--containers', '--no-headers');
      await eventually(async () => expect((await containers()).trim().split('\n')).toHaveLength(3));
      expect(await containers()).toMatch(usage);
    });

    test('scale, set image and rollout undo', async () => {
      await kubectl('scale', 'deployment', 'web', '--replicas=2');
      await eventually(async () => expect(await get('deployment web', '.status.readyReplicas')).toBe('2'));
      await kubectl('set', 'image', 'deployment/web', `hello=${image}:v2`);
      await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
      expect(await get('pods -l app=web', '.items[*].spec.containers[0].image')).toContain(':v2');
      await kubectl('rollout', 'undo', 'deployment/web');
      await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
      expect(await kubectl('rollout', 'history', 'deployment/web')).toMatch(/\n2 .*\n3 /);
      await eventually(async () =>
        expect(
          await get('pods -l app=web --field-selector=status.phase=Running', '.items[*].spec.containers[0].image'),
        ).toBe(`${image} ${image}`),
      );
    });

    test('kill -9, then up: no container stopped, no log line and no exit code is lost', async () => {
      // Another test may run the same job at the same time.
      const marker = `ends-${process.pid}`;
      await machine.apply(
        shell('counter', 'i=0; while :; do echo "line $i"; i=$((i+1)); sleep 0.05; done'),
        shell('ending', `: ${marker}; trap "exit 7" TERM; while :; do sleep 0.1; done`),
      );
      await kubectl('wait', '--for=condition=Ready', 'pod/counter', 'pod/ending', '--timeout=30s');
      const state = () => get('pod counter', '.status.containerStatuses[0].containerID');
      const before = await state();
      await eventually(async () => expect(await kubectl('logs', 'counter')).toContain('line 10\n'));
      const ending = machine.containerProcess(marker);
      await crash();
      process.kill(ending, 'SIGTERM');
      await eventually(() => expect(() => process.kill(ending, 0)).toThrow());
      const deadSince = Date.now();
      await upAgain();
      await eventually(async () => {
        const { phase, containerStatuses } = JSON.parse(await get('pod ending', '.status'));
        const { exitCode, finishedAt } = containerStatuses[0].state.terminated;
        expect({ phase, exitCode }).toEqual({ phase: 'Failed', exitCode: 7 });
        expect(Date.parse(finishedAt)).toBeLessThanOrEqual(deadSince + 1000);
      });
      expect(await state()).toBe(before);
      expect(await get('pod counter', '.status.containerStatuses[0].restartCount')).toBe('0');
      const lines = (await kubectl('logs', 'counter')).trim().split('\n');
      expect(lines).toEqual(lines.map((_, i) => `line ${i}`));
      expect(await podsThatAnswer(`http://${await get('service web', '.spec.clusterIP')}`, 2)).toBe(2);
      await kubectl('delete', 'pod', 'counter', 'ending', '--wait=false');
    });

    test('a log that grew too large was rotated, and no line is lost', async () => {
      const uid = await get('pod loud', '.metadata.uid');
      const nodes = path.join(data, 'nodes');
      const logs = path.join(nodes, readdirSync(nodes)[0], 'logs', `default_loud_${uid}`, 'main');
      await eventually(() => expect(readdirSync(logs).length).toBeGreaterThan(1), 40_000);
      await eventually(async () => expect(await kubectl('logs', 'loud', '--tail=1')).toBe('written\n'), 40_000);
      const lines = (await kubectl('logs', 'loud')).split('\n');
      expect(lines).toHaveLength(130_002);
      expect(lines.slice(0, -2).findIndex((line, i) => !line.startsWith(`line ${i} `))).toBe(-1);
    }, 90_000);

    test('status', async () => {
      const text = await cluster('status');
      expect(text).toMatchObject({ code: 0, stderr: '' });
      expect(text.stdout).toMatch(/ok kube-apiserver +started in/);
      const status = JSON.parse((await cluster('status', '--output', 'json')).stdout);
      expect(status).toMatchObject({ running: true, name: 'coracle', problems: [], nodes: [{ ready: true }] });
    });

    test('deleted objects are gone', async () => {
      const ip = await get('service web', '.spec.clusterIP');
      await kubectl('delete', 'deployment,service', 'web');
      await kubectl('delete', 'pod,service', '--all');
      await eventually(async () => expect(await kubectl('get', 'pods', '-o', 'name')).toBe(''));
      await eventually(async () => expect((await machine.curl(`http://${ip}`)).code).not.toBe(0));
    });

    test('down stops the pods, and the next up has the data', async () => {
      // Other runs of this test, beside it, have another duration.
      const seconds = `98${process.pid}`;
      await machine.apply({ ...shell('stays', `sleep ${seconds}`), metadata: { name: 'stays' } });
      await kubectl('wait', '--for=condition=Ready', 'pod/stays', '--timeout=30s');
      expect((await cluster('down')).code).toBe(0);
      expect((await cluster('status')).code).toBe(3);
      expect(() => machine.containerProcess(seconds)).toThrow('no container');
      await upAgain();
      await eventually(async () => expect(await get('pod stays', '.metadata.name')).toBe('stays'));
    });

    test('down --delete removes everything', async () => {
      expect(seen.size).toBeGreaterThan(5);
      const registry = '/var/lib/coracle/.networks';
      const ranges = () => readdirSync(registry).map((name) => readFileSync(path.join(registry, name), 'utf8'));
      expect((await cluster('down', '--delete')).code).toBe(0);
      expect((await cluster('down')).stdout).toContain('nothing to stop');
      await eventually(() => expect(machine.processes(data)).toEqual([]));
      expect(ranges().filter((text) => text.includes(data))).toEqual([]);
      expect(machine.cgroups().filter((name) => [...seen].some((uid) => name.includes(uid)))).toEqual([]);
      expect(machine.mounts().filter((mount) => mount.startsWith(data))).toEqual([]);
      expect(
        (await machine.run('ip', ['-o', '-4', 'addr', 'show', 'dev', 'lo'])).stdout.trim().split('\n'),
      ).toHaveLength(1);
      if (runtime === 'native') expect((await machine.run('ip', ['-o', 'link'])).stdout).not.toMatch(/: (cor|veth)/);
      if (proxyMode === 'nftables') expect((await machine.run('nft', ['list', 'tables'])).stdout).toBe('');
    });
  });
}
