// Volumes, termination and limits of pods in real kubectl, with real containers on native.

import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { longTest } from '../long/long.ts';
import { eventually, Machine, whyNot } from './machine.ts';

const image = 'coracle.local/hello';
const reason = whyNot();

const container = (script: string, more: object = {}) => ({
  name: 'c',
  image,
  command: ['sh', '-c', script],
  ...more,
});
const pod = (name: string, script: string, spec: object = {}, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 1,
    containers: [container(script, more)],
    ...spec,
  },
});
const mounted = (mount: object) => ({ volumeMounts: [{ name: 'v', mountPath: '/v', ...mount }] });
const emptyDir = (more: object = {}) => ({ volumes: [{ name: 'v', emptyDir: more }] });
const of = (cpu: string, memory: string) => ({ requests: { cpu, memory }, limits: { cpu, memory } });

/** A health service of gRPC in HTTP/2 frames, without a library. */
const grpcServer = `require('http2').createServer().on('stream', (stream) => {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.resume().on('end', () => stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 1])));
}).listen(5000)`;

describe.skipIf(reason)(`pods on native${reason ? `: ${reason}` : ''}`, () => {
  let machine: Machine;
  let data: string;
  const kubectl = (...args: string[]) => machine.kubectl(...args);
  const get = (name: string, field: string) => kubectl('get', 'pod', name, '-o', `jsonpath={${field}}`);
  const status = async (name: string) => JSON.parse(await get(name, '.status'));
  const ends = (name: string) => eventually(async () => expect(await get(name, '.status.phase')).toMatch(/ed$/));
  const said = async (name: string) => {
    await ends(name);
    return kubectl('logs', name);
  };

  beforeAll(async () => {
    machine = new Machine();
    data = path.join(machine.directory, 'data');
    machine.kubeconfig = path.join(data, 'kubeconfig');
    const up = ['up', '--data-dir', data, '--port', '0', '--runtime', 'native', '--proxy-mode', 'userspace'];
    const { code, stderr, stdout } = await machine.coracle(...up);
    expect(code, `${stdout}${stderr}`).toBe(0);
    await kubectl('create', 'secret', 'generic', 'keys', '--from-literal=k=value');
    await kubectl('create', 'configmap', 'settings', '--from-literal=level=debug ');
    await machine.apply(
      pod('link', 'ls /v/root && echo ESCAPED', {
        ...emptyDir(),
        initContainers: [container('ln -s / /w/host', { name: 'i', volumeMounts: [{ name: 'v', mountPath: '/w' }] })],
        containers: [container('ls /v/root && echo ESCAPED', mounted({ subPath: 'host' }))],
      }),
      pod(
        'nonroot',
        'stat -c "%a %g" /v; touch /v/f && echo ok',
        { ...emptyDir(), securityContext: { runAsUser: 1001, fsGroup: 1001 } },
        mounted({ subPath: 'a/b' }),
      ),
      pod(
        'secret',
        'stat -Lc "%a %u:%g" /v/k; cat /v/k; touch /v/new 2>/dev/null || echo " read-only"; stat -fc %T /v',
        {
          securityContext: { runAsUser: 1234, fsGroup: 2000 },
          volumes: [{ name: 'v', secret: { secretName: 'keys', defaultMode: 0o400 } }],
        },
        mounted({}),
      ),
      pod(
        'nested',
        'cat /v/level /v/keys/k; cat /v/keys/k',
        {
          volumes: [
            { name: 'v', configMap: { name: 'settings' } },
            { name: 'k', secret: { secretName: 'keys' } },
          ],
        },
        {
          volumeMounts: [
            { name: 'v', mountPath: '/v' },
            { name: 'k', mountPath: '/v/keys' },
          ],
        },
      ),
      pod('full', 'dd if=/dev/zero of=/v/f bs=1M count=40; sleep 60', emptyDir({ sizeLimit: '10Mi' }), mounted({})),
      pod('late', 'sleep 60', { activeDeadlineSeconds: 2 }),
      pod('nothing', '', {}, { command: ['/nope'] }),
      pod('words', 'printf DONE; exit 1', {}, { terminationMessagePolicy: 'FallbackToLogsOnError' }),
      pod(
        'rules',
        'sleep 0.5; exit 42',
        {},
        {
          restartPolicy: 'Never',
          restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
        },
      ),
      pod('hook', 'sleep 60', {}, { lifecycle: { postStart: { exec: { command: ['sleep', '60'] } } } }),
      pod('name', '', {}, { image: 'UPPER' }),
      pod(
        'grpc',
        '',
        { restartPolicy: 'Always' },
        {
          command: ['node', '-e', grpcServer],
          readinessProbe: { grpc: { port: 5000 }, periodSeconds: 1 },
        },
      ),
      pod('size', 'exec sleep 4242', {}, { resources: of('100m', '64Mi') }),
    );
  }, 60_000);
  afterAll(async () => {
    if (!machine) return;
    await machine.coracle('down', '--delete', '--data-dir', data);
    const left = machine.mounts();
    machine.dispose();
    expect(left).toEqual([]);
  }, 60_000);

  test('a subPath that is a link out of its volume does not start', async () => {
    const message = 'failed to prepare subPath for volumeMount "v" of container "c"';
    await eventually(async () =>
      expect((await status('link')).containerStatuses[0].state.waiting).toEqual({
        reason: 'CreateContainerConfigError',
        message,
      }),
    );
    await eventually(async () =>
      expect(await kubectl('get', 'events', '-o', 'jsonpath={.items[*].message}')).toContain(`Error: ${message}`),
    );
  });

  test("a subPath that is made gets its volume's mode and group", async () =>
    expect(await said('nonroot')).toBe('2777 1001\nok\n'));

  test("a secret is readable by the pod's group, read-only, and in memory", async () =>
    expect(await said('secret')).toBe('440 0:2000\nvalue read-only\ntmpfs\n'));

  test('a volume is mounted inside one that is read-only', async () =>
    expect(await said('nested')).toBe('debug valuevalue'));

  longTest(
    'a volume over its limit gets its pod evicted',
    async () => {
      await eventually(async () => expect(await get('full', '.status.reason')).toBe('Evicted'), 40_000);
      expect(await status('full')).toMatchObject({
        phase: 'Failed',
        message: 'Usage of EmptyDir volume "v" exceeds the limit "10Mi". ',
      });
    },
    60_000,
  );

  test('a pod past its deadline has ended and is not ready', async () => {
    await ends('late');
    await eventually(async () => {
      const { reason, containerStatuses, conditions } = await status('late');
      expect(reason).toBe('DeadlineExceeded');
      expect(containerStatuses[0]).toMatchObject({ ready: false, state: { terminated: {} } });
      expect(conditions.find((c: { type: string }) => c.type === 'Ready')).toMatchObject({
        status: 'False',
        reason: 'PodFailed',
      });
    });
  });

  test('a command that does not exist', async () => {
    await ends('nothing');
    expect((await status('nothing')).containerStatuses[0].state.terminated).toMatchObject({
      reason: 'StartError',
      exitCode: 128,
    });
  });

  test('a termination message from the log is the output', async () => {
    await ends('words');
    expect((await status('words')).containerStatuses[0].state.terminated.message).toBe('DONE');
    expect(await kubectl('logs', 'words', '--tail=1')).toBe('DONE');
  });

  test('a restart rule counts before the policies', () =>
    eventually(async () => {
      const found = await status('rules');
      expect(found.containerStatuses?.[0].restartCount, JSON.stringify(found)).toBeGreaterThan(0);
    }));

  test('while a hook runs its container is being created; deletion does not wait for the hook', async () => {
    await eventually(async () =>
      expect(await status('hook')).toMatchObject({
        phase: 'Pending',
        startTime: expect.any(String),
        containerStatuses: [{ state: { waiting: { reason: 'ContainerCreating' } } }],
      }),
    );
    const begunMs = performance.now();
    await kubectl('delete', 'pod', 'hook', '--wait');
    expect(performance.now() - begunMs).toBeLessThan(10_000);
  });

  test('a pod that is being deleted becomes unready when its probe fails', async () => {
    const [main] = pod('leaving', "trap 'touch /leaving' TERM; while :; do sleep 0.1; done").spec.containers;
    const readinessProbe = {
      exec: { command: ['test', '!', '-e', '/leaving'] },
      periodSeconds: 1,
      failureThreshold: 1,
    };
    await machine.apply(
      pod('leaving', '', { terminationGracePeriodSeconds: 60, containers: [{ ...main, readinessProbe }] }),
    );
    await kubectl('wait', '--for=condition=Ready', 'pod/leaving', '--timeout=20s');
    await kubectl('delete', 'pod', 'leaving', '--wait=false');
    await kubectl('wait', '--for=condition=Ready=false', 'pod/leaving', '--timeout=20s');
    expect(await get('leaving', '.status.containerStatuses[0].state.running.startedAt')).not.toBe('');
    await kubectl('delete', 'pod', 'leaving', '--grace-period=1');
  });

  test('a name that is no image', () =>
    eventually(async () =>
      expect((await status('name')).containerStatuses[0].state.waiting.reason).toBe('InvalidImageName'),
    ));

  test('a gRPC probe finds a healthy container ready', () =>
    kubectl('wait', '--for=condition=Ready', 'pod/grpc', '--timeout=20s'));

  test('a resize changes the cgroup before the status', async () => {
    await kubectl('wait', '--for=condition=Ready', 'pod/size', '--timeout=20s');
    const patch = { spec: { containers: [{ name: 'c', resources: of('150m', '80Mi') }] } };
    await kubectl('patch', 'pod', 'size', '--subresource=resize', '-p', JSON.stringify(patch));
    await eventually(async () =>
      expect((await status('size')).containerStatuses[0].resources).toEqual(of('150m', '80Mi')),
    );
    const files = 'cd /sys/fs/cgroup; cat memory.max 2>/dev/null || cat memory/memory.limit_in_bytes';
    expect(await kubectl('exec', 'size', '--', 'sh', '-c', files)).toBe(`${80 * 2 ** 20}\n`);
    expect((await status('size')).conditions.map((c: { type: string }) => c.type)).not.toContain('PodResizeInProgress');
  });

  test("kubectl debug --target sees the target's processes", async () => {
    await kubectl('wait', '--for=condition=Ready', 'pod/size', '--timeout=20s');
    const command = 'tr "\\0" " " </proc/1/cmdline';
    const shown = machine.background(path.resolve('.cache/tools/kubectl'), [
      ...['debug', 'size', `--image=${image}`, '--target=c', '-i', '-q', '--', 'sh', '-c', `sleep 1; ${command}`],
    ]);
    await shown.shows(/sleep 4242/);
    const removal = ['patch', 'pod', 'size', '--subresource=ephemeralcontainers', '--type=merge'];
    const { code, stderr } = await machine.tryKubectl([...removal, '-p', '{"spec":{"ephemeralContainers":[]}}']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('may not be removed')]);
  });
});
