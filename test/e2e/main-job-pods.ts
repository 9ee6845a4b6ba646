// The part of the main job that works with pods: logs, exec, attach, port-forward, describe.

import path from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from './machine.ts';
import { image, type User } from './main-job-user.ts';

export function podTests(user: User): void {
  const { cluster, get, firstPod, kubectl } = user;
  const onNative = test.runIf(user.isThorough);

  test('logs, and logs -f as they come', async () => {
    const pod = await firstPod();
    const ip = await get(`pod ${pod}`, '.status.podIP');
    expect(await kubectl('logs', pod)).toContain(`hello: ${pod} listens on port 8080`);
    expect(await kubectl('logs', pod, '--tail=1', '--timestamps')).toMatch(/^\d{4}-\d\d-\d\dT\S+Z .*\n$/);
    const following = user.machine.kubectlInBackground('logs', '-f', pod);
    await following.shows(/listens on port/);
    await user.machine.curl(`http://${ip}:8080/followed`);
    await following.shows(/GET \/followed/);
    await following.end();
  });

  test('exec gives output, input and the exit code', async () => {
    const pod = await firstPod();
    expect(await kubectl('exec', pod, '--', 'hostname')).toBe(`${pod}\n`);
    const failed = await user.machine.tryKubectl(['exec', pod, '--', 'sh', '-c', 'echo oh >&2; exit 3']);
    expect(failed).toMatchObject({ code: 3, stderr: expect.stringContaining('oh\n') });
    const piped = await user.machine.tryKubectl(['exec', '-i', pod, '--', 'wc', '-c'], 'twelve bytes');
    expect(piped).toMatchObject({ code: 0, stdout: '12\n' });
    const long = 'a'.repeat(20_000);
    expect(await kubectl('exec', pod, '--', 'echo', long)).toBe(`${long}\n`);
    const missing = await user.machine.tryKubectl(['exec', pod, '--', 'nothing-here']);
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toMatch(/exec: "nothing-here": executable file not found in \$PATH/);
  });

  test.each([
    ['WebSocket', {}],
    ['SPDY', { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' }],
  ])('exec -it over %s has a terminal of the right size', async (_, environment) => {
    const terminal = user.machine.kubectlInTerminal(`exec -it ${await firstPod()} -- sh`, environment);
    const type = (text: string) => terminal.child.stdin!.write(text);
    await terminal.shows(/[#$] $/);
    type('test -t 0 && test -t 1 && echo "is a terminal"; echo $((6 * 7))\n');
    await terminal.shows(/\nis a terminal\r?\n42\r?\n/);
    type('node -p "process.stdout.isTTY"\n');
    await terminal.shows(/true/);
    type('exit 5\n');
    await eventually(() => expect(terminal.child.exitCode).toBe(5));
  });

  onNative('a terminal takes over the size that the user has', async () => {
    const pod = await firstPod();
    const sized = `stty cols 123 rows 45; exec ${path.join(import.meta.dirname, '../../.cache/tools/kubectl')}`;
    const script = `${sized} exec -it ${pod} -- sh -c 'sleep 0.5; stty size'`;
    const terminal = user.machine.background('script', ['-qefc', script, '/dev/null']);
    await terminal.shows(/45 123/);
    await terminal.end();
  });

  onNative('port-forward', async () => {
    const forward = user.machine.kubectlInBackground('port-forward', 'service/web', ':80');
    const [, port] = await forward.shows(/Forwarding from 127\.0\.0\.1:(\d+) -> 8080/);
    for (let i = 0; i < 3; i++)
      expect((await user.machine.curl(`http://127.0.0.1:${port}/forwarded`)).stdout).toContain('GET /forwarded');
    await forward.end();
  });

  onNative('describe, get events and explain', async () => {
    const pod = await firstPod();
    const described = await kubectl('describe', 'pod', pod);
    expect(described).toMatch(/Status: +Running/);
    expect(described).toMatch(/Scheduled .*Successfully assigned default\/web-/);
    expect(described).toMatch(/Normal +Started .*Container started/);
    expect(await kubectl('get', 'events')).toMatch(/ScalingReplicaSet +deployment\/web/);
    expect(await kubectl('describe', 'node')).toMatch(/Ready +True .*KubeletReady/);
    expect(await kubectl('explain', 'deployment.spec.replicas')).toContain('Number of desired pods');
    expect((await cluster('explain', 'pod', pod)).stdout).toMatch(/went to /);
    const asJson = JSON.parse((await cluster('explain', 'pod', pod, '--output', 'json')).stdout);
    expect(asJson).toMatchObject({ pod: `default/${pod}`, evaluated: 1 });
  });

  test("the kubelet's metrics have the start times of pods and containers", async () => {
    const node = await get('nodes', '.items[0].metadata.name');
    const metrics = await kubectl('get', '--raw', `/api/v1/nodes/${node}/proxy/metrics`);
    expect(metrics).toMatch(/^kubelet_pod_start_duration_seconds_count [1-9]/m);
    for (const operation of ['run_podsandbox', 'create_container', 'start_container'])
      expect(metrics).toMatch(
        new RegExp(`^kubelet_runtime_operations_duration_seconds_count{operation_type="${operation}"} [1-9]`, 'm'),
      );
  });

  test('run gives the exit code, attach joins, debug looks in from beside', async () => {
    const once = await user.machine.tryKubectl(
      [
        ...['run', 'once', '-i', '--rm', '--restart=Never', `--image=${image}`, '--command', '--'],
        ...['sh', '-c', 'read line; echo "got $line"; exit 3'],
      ],
      'a line\n',
    );
    expect(once).toMatchObject({ code: 3, stdout: expect.stringContaining('got a line') });
    const pod = await firstPod();
    const attached = user.machine.kubectlInBackground('attach', pod);
    await attached.shows(/If you don't see a command prompt/);
    await eventually(async () => {
      await user.machine.curl(`http://${await get(`pod ${pod}`, '.status.podIP')}:8080/attached`);
      expect(attached.text()).toContain('GET /attached');
    });
    await attached.end();
    const script = 'wget -q -T 3 -O - http://127.0.0.1:8080';
    await kubectl('debug', pod, `--image=${image}`, '--container=look', '--', 'sh', '-c', script);
    await eventually(async () => expect(await kubectl('logs', pod, '-c', 'look')).toContain(`Hello from pod ${pod}`));
  });
}
