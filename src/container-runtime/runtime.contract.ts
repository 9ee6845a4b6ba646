// The contract suite of runtimes; each implementation's test runs it.

import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type ContainerConfig,
  type ContainerRuntime,
  podUidLabel,
  type RuntimeEvent,
  type SandboxConfig,
} from './container-runtime.ts';

export interface RuntimeUnderTest {
  readonly runtime: ContainerRuntime;
  /** An image whose command runs until SIGTERM and then exits with 0. */
  readonly image: string;
  readonly logDirectory: string;
  /** The line that the image's command logs when it is ready for SIGTERM; undefined for simulated containers. */
  readonly startLine?: string;
  end(): Promise<void>;
}

export function runtimeContract(name: string, start: () => Promise<RuntimeUnderTest>): void {
  describe(`${name}: the runtime's contract`, () => {
    let subject: RuntimeUnderTest;
    let runtime: ContainerRuntime;
    beforeAll(async () => {
      subject = await start();
      runtime = subject.runtime;
    }, 60_000);
    afterAll(() => subject?.end(), 60_000);

    async function pod(change: Partial<SandboxConfig> = {}, container: Partial<ContainerConfig> = {}) {
      const config = sandboxConfig(subject.logDirectory, change);
      const sandbox = await runtime.runPodSandbox(config);
      const logPath = `${config.uid}/0.log`;
      const id = await runtime.createContainer(
        sandbox,
        containerConfig({ image: subject.image, logPath, ...container }),
        config,
      );
      return { sandbox, id, config };
    }

    test('is ready once it has pod ranges', async () => {
      expect(await runtime.status()).toEqual({});
    });

    test('names itself with a version', () => {
      expect(runtime.version).toMatch(/^[a-z]+:\/\/\d/);
    });

    test('a container becomes created, running and exited, with times', async () => {
      const { id, sandbox } = await pod();
      expect(await runtime.containerStatus(id)).toMatchObject({ state: 'created', startedAt: 0, sandboxId: sandbox });
      await runtime.startContainer(id);
      const running = await runtime.containerStatus(id);
      expect(running).toMatchObject({ state: 'running', name: 'main', finishedAt: 0 });
      expect(running!.image).toContain(subject.image);
      expect(running!.startedAt).toBeGreaterThanOrEqual(running!.createdAt);
      expect(running!.imageRef).toContain('sha256:');
      // Process 1 ignores signals that it has no handler for, so the program must have got that far.
      for (let tries = 0; subject.startLine && tries < 200 && !logged(running!.logPath, subject.startLine); tries++)
        await new Promise((resolve) => setTimeout(resolve, 25));
      await runtime.stopContainer(id, 20);
      const exited = await runtime.containerStatus(id);
      expect(exited).toMatchObject({ state: 'exited', exitCode: 0, reason: 'Completed' });
      expect(exited!.finishedAt).toBeGreaterThanOrEqual(exited!.startedAt);
      await runtime.removePodSandbox(sandbox);
    });

    test('each pod has a distinct address until it is stopped', async () => {
      const pods = await Promise.all([pod(), pod(), pod()]);
      const ips = async () =>
        (await runtime.listPodSandboxes())
          .filter((s) => pods.some(({ sandbox }) => sandbox === s.id))
          .flatMap((s) => s.ips.slice(0, 1));
      expect(new Set(await ips()).size).toBe(3);
      await Promise.all(pods.map(({ sandbox }) => runtime.stopPodSandbox(sandbox)));
      expect(await ips()).toEqual([]);
      for (const { sandbox } of pods) await runtime.removePodSandbox(sandbox);
    });

    test('lists contain the fields for a restarted kubelet: names, uid, labels and annotations', async () => {
      const { sandbox, id, config } = await pod(
        { labels: { a: '1', [podUidLabel]: 'pod-of-lists' }, annotations: { b: '2' }, uid: 'pod-of-lists' },
        { labels: { c: '3', [podUidLabel]: 'pod-of-lists' }, annotations: { d: '4' } },
      );
      const other = await pod();
      const listed = (await runtime.listPodSandboxes()).find((s) => s.id === sandbox);
      expect(listed?.config).toEqual({
        name: config.name,
        namespace: 'default',
        uid: config.uid,
        attempt: 0,
        labels: { a: '1', [podUidLabel]: 'pod-of-lists' },
        annotations: { b: '2' },
      });
      const container = (await runtime.listContainers()).find((c) => c.id === id);
      expect(container).toMatchObject({ labels: { c: '3' }, annotations: { d: '4' } });
      expect(await runtime.listPodSandboxes(config.uid)).toEqual([listed]);
      expect(await runtime.listContainers(config.uid)).toEqual([container]);
      expect(await runtime.listContainers('of-nobody')).toEqual([]);
      await runtime.removePodSandbox(other.sandbox);
      await runtime.removePodSandbox(sandbox);
    });

    test('removing a sandbox ends and removes its containers', async () => {
      const { sandbox, id } = await pod();
      await runtime.startContainer(id);
      await runtime.removePodSandbox(sandbox);
      expect(await runtime.containerStatus(id)).toBeUndefined();
      expect((await runtime.listPodSandboxes()).some((s) => s.id === sandbox)).toBe(false);
    });

    test('stopping and removing are idempotent', async () => {
      const { sandbox, id } = await pod();
      await runtime.startContainer(id);
      for (let i = 0; i < 2; i++) await runtime.stopContainer(id, 1);
      for (let i = 0; i < 2; i++) await runtime.removeContainer(id);
      for (let i = 0; i < 2; i++) await runtime.stopPodSandbox(sandbox);
      for (let i = 0; i < 2; i++) await runtime.removePodSandbox(sandbox);
    });

    test('errors name a missing object', async () => {
      await expect(runtime.startContainer('nosuch')).rejects.toThrow(/nosuch/);
      await expect(runtime.execSync('nosuch', ['true'], 1000)).rejects.toThrow(/nosuch/);
      expect(await runtime.containerStatus('nosuch')).toBeUndefined();
      expect(await runtime.imageStatus('example.invalid/nosuch:1')).toBeUndefined();
    });

    test('an image is found by its name and its id', async () => {
      const id = await runtime.pullImage(subject.image);
      const image = await runtime.imageStatus(subject.image);
      expect(image?.id).toBe(id);
      expect(image?.sizeBytes).toBeGreaterThan(0);
      expect((await runtime.imageStatus(id))?.id).toBe(id);
      expect((await runtime.listImages()).map((i) => i.id)).toContain(id);
    });

    test('exec answers with the exit code', async () => {
      const { sandbox, id } = await pod();
      await runtime.startContainer(id);
      expect((await runtime.execSync(id, ['sh', '-c', 'exit 0'], 5000)).exitCode).toBe(0);
      await runtime.removePodSandbox(sandbox);
    });

    test('events report each step, unless the runtime has none', async () => {
      const abort = new AbortController();
      const seen: RuntimeEvent[] = [];
      const reading = (async () => {
        for await (const event of runtime.events(abort.signal)) seen.push(event);
      })();
      const { sandbox, id } = await pod();
      await runtime.startContainer(id);
      await runtime.stopContainer(id, 1);
      await runtime.removePodSandbox(sandbox);
      await new Promise((resolve) => setTimeout(resolve, 20));
      abort.abort();
      await reading;
      const types = seen.filter((event) => event.containerId === id).map((event) => event.type);
      if (seen.length > 0) expect(types).toEqual(['created', 'started', 'stopped', 'deleted']);
    });
  });
}

function logged(path: string, text: string): boolean {
  return existsSync(path) && readFileSync(path, 'utf8').includes(text);
}

let pods = 0;

export function sandboxConfig(logDirectory: string, change: Partial<SandboxConfig> = {}): SandboxConfig {
  const uid = `uid-${process.pid}-${++pods}`;
  return {
    name: `pod-${pods}`,
    namespace: 'default',
    uid,
    attempt: 0,
    hostname: `pod-${pods}`,
    logDirectory,
    labels: { app: 'test' },
    annotations: {},
    cgroupParent: `/coracle-test-${process.pid}/pod${uid}`,
    hostNetwork: false,
    hostPid: false,
    hostIpc: false,
    ...change,
  };
}

export function containerConfig(change: Partial<ContainerConfig> & { image: string }): ContainerConfig {
  return {
    name: 'main',
    attempt: 0,
    command: [],
    args: [],
    env: [],
    mounts: [],
    labels: {},
    annotations: {},
    logPath: 'main/0.log',
    stdin: false,
    stdinOnce: false,
    tty: false,
    resources: {},
    security: {
      privileged: false,
      readOnlyRootFilesystem: false,
      noNewPrivileges: false,
      addCapabilities: [],
      dropCapabilities: [],
    },
    ...change,
  };
}
