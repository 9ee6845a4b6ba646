import { describe, expect, test } from 'vitest';
import type { Container, Pod, PodStatus } from '../../api/api.ts';
import type { ContainerStatus, Sandbox } from '../../container-runtime/container-runtime.ts';
import { withKnownStatus } from './pod-conditions.ts';
import { podStatus } from './pod-status.ts';
import type { StatusInputs } from './status-inputs.ts';

const pod = (spec: Partial<Pod['spec']> = {}, status: Partial<PodStatus> = {}) =>
  ({
    metadata: { name: 'p', uid: 'u', generation: 3 },
    spec: { restartPolicy: 'Always', containers: [{ name: 'a', image: 'img' }], ...spec },
    status,
  }) as unknown as Pod;
const sandbox = { id: 's', state: 'ready', ips: ['10.0.0.5'], config: { attempt: 0 } } as unknown as Sandbox;
const made = (name: string, state: ContainerStatus['state'], more: Partial<ContainerStatus> = {}) =>
  ({
    id: `${name}-id`,
    sandboxId: 's',
    name,
    state,
    attempt: 0,
    exitCode: 0,
    reason: '',
    message: '',
    image: 'img',
    imageRef: 'img@sha256:1',
    createdAt: 1000,
    startedAt: 2000,
    finishedAt: 3000,
    labels: {},
    annotations: {},
    logPath: '',
    ...more,
  }) as ContainerStatus;
const inputs = (more: Partial<StatusInputs> = {}): StatusInputs => ({
  waiting: new Map(),
  isReady: () => true,
  isStarted: () => true,
  hostIPs: ['192.0.2.1'],
  runtimeName: 'native',
  now: 60_000,
  ...more,
});
const statusOf = (
  spec: Partial<Pod['spec']>,
  containers: ContainerStatus[],
  more: Partial<StatusInputs> = {},
  reported: Partial<PodStatus> = {},
) => podStatus(pod(spec, reported), { sandboxes: [sandbox], containers }, inputs(more));
const condition = (status: PodStatus, type: string) => status.conditions?.find((c) => c.type === type);

const two = [{ name: 'a' }, { name: 'b' }] as Container[];
const init = { initContainers: [{ name: 'init' }] as Container[] };
const never = { restartPolicy: 'Never' } as const;

describe('phase', () => {
  test.each<[string, Partial<Pod['spec']>, ContainerStatus[], string]>([
    ['nothing there yet', {}, [], 'Pending'],
    ['created, not started', {}, [made('a', 'created')], 'Pending'],
    ['runs', {}, [made('a', 'running')], 'Running'],
    ['one runs, one was never there', { containers: two }, [made('a', 'running')], 'Pending'],
    [
      'one runs, one has ended',
      { containers: two, ...never },
      [made('a', 'running'), made('b', 'exited', { exitCode: 1 })],
      'Running',
    ],
    ['ended well, and comes back', {}, [made('a', 'exited')], 'Running'],
    ['ended well, never restarted', never, [made('a', 'exited')], 'Succeeded'],
    ['failed, never restarted', never, [made('a', 'exited', { exitCode: 2 })], 'Failed'],
    [
      'ended badly, and is tried again',
      { restartPolicy: 'OnFailure' },
      [made('a', 'exited', { exitCode: 2 })],
      'Running',
    ],
    ['ended well, not to be repeated', { restartPolicy: 'OnFailure' }, [made('a', 'exited')], 'Succeeded'],
    [
      'ended by a rule that restarts it',
      {
        ...never,
        containers: [
          {
            name: 'a',
            restartPolicy: 'Never',
            restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
          },
        ] as Container[],
      },
      [made('a', 'exited', { exitCode: 42 })],
      'Running',
    ],
    [
      'failed, with an own restart policy',
      { containers: [{ name: 'a', restartPolicy: 'Never' }] as Container[] },
      [made('a', 'exited', { exitCode: 1 })],
      'Failed',
    ],
    ['initializes', init, [made('init', 'running')], 'Pending'],
    ['initialization failed, and is tried again', init, [made('init', 'exited', { exitCode: 1 })], 'Pending'],
    ['initialization failed permanently', { ...init, ...never }, [made('init', 'exited', { exitCode: 1 })], 'Failed'],
    ['initialized and running', init, [made('init', 'exited'), made('a', 'running')], 'Running'],
  ])('%s', (_, spec, containers, phase) => expect(statusOf(spec, containers).phase).toBe(phase));

  test.each(['Succeeded', 'Failed'] as const)('%s is never left again', (phase) =>
    expect(statusOf({}, [made('a', 'running')], {}, { phase }).phase).toBe(phase),
  );

  test('a pod that the node refused', () => {
    const failure = { reason: 'OutOfcpu', message: 'Pod was rejected', isRefused: true };
    const status = statusOf({}, [], { failure });
    expect(status).toMatchObject({ phase: 'Failed', reason: 'OutOfcpu', message: 'Pod was rejected' });
    expect(status.containerStatuses).toBeUndefined();
  });

  test('a pod that the node ended: its containers have ended, it is not ready', () => {
    const failure = { reason: 'DeadlineExceeded', message: 'too long' };
    const status = statusOf({}, [made('a', 'exited', { exitCode: 143 })], { failure, hasEnded: true });
    expect(status).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded', message: 'too long' });
    expect(status.containerStatuses).toMatchObject([{ ready: false, state: { terminated: { exitCode: 143 } } }]);
    for (const type of ['Ready', 'ContainersReady'])
      expect(condition(status, type)).toMatchObject({ status: 'False', reason: 'PodFailed' });
    expect(statusOf({}, [], {}, status)).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' });
  });

  test('a missing container when the pod has ended', () => {
    const status = statusOf({ containers: two }, [made('a', 'exited')], { hasEnded: true });
    expect(status.phase).toBe('Failed');
    expect(status.containerStatuses?.[1].state?.terminated).toMatchObject({
      reason: 'ContainerStatusUnknown',
      exitCode: 137,
      message: 'The container could not be located when the pod was terminated',
    });
  });

  test('a deleted pod whose containers succeeded has succeeded, with any restart policy', () =>
    expect(statusOf({}, [made('a', 'exited')], { hasEnded: true }).phase).toBe('Succeeded'));
});

test('a running pod in full', () => {
  expect(statusOf({}, [made('a', 'running')])).toEqual({
    observedGeneration: 3,
    phase: 'Running',
    conditions: ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map(
      (type) => ({
        type,
        status: 'True',
        observedGeneration: 3,
        lastProbeTime: null,
        lastTransitionTime: '1970-01-01T00:01:00Z',
      }),
    ),
    hostIP: '192.0.2.1',
    hostIPs: [{ ip: '192.0.2.1' }],
    podIP: '10.0.0.5',
    podIPs: [{ ip: '10.0.0.5' }],
    startTime: '1970-01-01T00:01:00Z',
    containerStatuses: [
      {
        name: 'a',
        image: 'img',
        imageID: 'img@sha256:1',
        state: { running: { startedAt: '1970-01-01T00:00:02Z' } },
        lastState: {},
        ready: true,
        restartCount: 0,
        containerID: 'native://a-id',
        started: true,
        resources: {},
      },
    ],
    qosClass: 'BestEffort',
    resources: {},
  });
});

describe('container states', () => {
  const first = (status: PodStatus) => status.containerStatuses![0];
  test("waits with the worker's error", () => {
    const waiting = new Map([['a', { reason: 'ErrImagePull', message: 'no' }]]);
    expect(first(statusOf({}, [], { waiting }))).toMatchObject({
      state: { waiting: { reason: 'ErrImagePull', message: 'no' } },
      restartCount: 0,
    });
  });
  test('a missing command without restart', () => {
    const waiting = new Map([['a', { reason: 'RunContainerError', message: 'no such file' }]]);
    const failed = made('a', 'exited', { exitCode: 128, reason: 'StartError', message: 'no such file' });
    const status = statusOf(never, [failed], { waiting });
    expect(first(status).state?.terminated).toMatchObject({ reason: 'StartError', exitCode: 128 });
    expect(status.phase).toBe('Failed');
    expect(first(statusOf({}, [failed], { waiting }))).toMatchObject({
      state: { waiting: { reason: 'RunContainerError' } },
      lastState: { terminated: { reason: 'StartError', exitCode: 128 } },
    });
  });
  test('while its postStart hook runs a container is being created', () => {
    const starting = new Set(['a']);
    const status = statusOf({}, [made('a', 'running')], { starting });
    expect(first(status)).toMatchObject({ state: { waiting: { reason: 'ContainerCreating' } }, ready: false });
    expect(status.phase).toBe('Pending');
  });
  test('removed because the end of another restarts all', () => {
    const reported = { containerStatuses: [{ name: 'a', restartCount: 1, state: { running: {} } }] };
    const status = statusOf({}, [], { restartsAll: true }, reported as Partial<PodStatus>);
    expect(first(status)).toMatchObject({
      state: { waiting: { reason: 'RestartingAllContainers' } },
      lastState: { terminated: { reason: 'RestartingAllContainers', exitCode: 137 } },
      restartCount: 2,
    });
    expect(status.phase).toBe('Running');
    expect(statusOf(never, [], { restartsAll: true }, reported as Partial<PodStatus>).phase).toBe('Running');
  });
  test('entries are sorted by name', () => {
    const spec = { containers: [{ name: 'b' }, { name: 'a' }] as Container[] };
    expect(statusOf(spec, []).containerStatuses?.map((c) => c.name)).toEqual(['a', 'b']);
  });
  test('waits for initialization, as the init containers that have not started', () => {
    const { initContainerStatuses, containerStatuses } = statusOf(init, []);
    expect([...(initContainerStatuses ?? []), ...(containerStatuses ?? [])].map((c) => c.state)).toEqual([
      { waiting: { reason: 'PodInitializing' } },
      { waiting: { reason: 'PodInitializing' } },
    ]);
  });
  test('waits while an init container runs', () =>
    expect(first(statusOf(init, [made('init', 'running')])).state).toEqual({ waiting: { reason: 'PodInitializing' } }));
  test('between two runs it waits, and lastState has the last exit', () => {
    const waiting = new Map([['a', { reason: 'CrashLoopBackOff' }]]);
    expect(first(statusOf({}, [made('a', 'exited', { exitCode: 7, attempt: 2 })], { waiting }))).toMatchObject({
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: { exitCode: 7, reason: 'Error', containerID: 'native://a-id' } },
      restartCount: 2,
    });
  });
  test('runs again: the run before is lastState', () => {
    const containers = [
      made('a', 'running', { id: 'new', attempt: 1 }),
      made('a', 'exited', { id: 'old', exitCode: 1 }),
    ];
    expect(first(statusOf({}, containers))).toMatchObject({
      containerID: 'native://new',
      restartCount: 1,
      lastState: { terminated: { containerID: 'native://old' } },
    });
  });
  test('restarts are never counted back', () => {
    const reported = { containerStatuses: [{ name: 'a', restartCount: 5 }] } as Partial<PodStatus>;
    expect(first(statusOf({}, [made('a', 'running', { attempt: 1 })], {}, reported)).restartCount).toBe(5);
  });
  test.each([
    ['its name', 'img', 'registry.test/img:1', 'registry.test/img:1'],
    ['the requested name', 'registry.test:5000/img:2', 'sha256:1', 'registry.test:5000/img:2'],
    ['and its tag', 'registry.test:5000/img', 'sha256:1', 'registry.test:5000/img:latest'],
    ['or digest', 'img@sha256:2', 'sha256:1', 'img@sha256:2'],
  ])('the image that runs, as %s', (_, image, running, shown) =>
    expect(
      first(statusOf({ containers: [{ name: 'a', image }] as Container[] }, [made('a', 'running', { image: running })]))
        .image,
    ).toBe(shown),
  );
  test('reasons of the runtime are kept', () =>
    expect(
      first(statusOf(never, [made('a', 'exited', { exitCode: 137, reason: 'OOMKilled' })])).state?.terminated,
    ).toMatchObject({ reason: 'OOMKilled', exitCode: 137 }));
});

describe('conditions', () => {
  test('not ready', () => {
    const status = statusOf({}, [made('a', 'running')], { isReady: () => false });
    for (const type of ['Ready', 'ContainersReady'])
      expect(condition(status, type)).toMatchObject({
        status: 'False',
        reason: 'ContainersNotReady',
        message: 'containers with unready status: [a]',
      });
  });
  test('not initialized', () =>
    expect(condition(statusOf(init, []), 'Initialized')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotInitialized',
      message: 'containers with incomplete status: [init]',
    }));
  test('completed', () => {
    const status = statusOf(never, [made('a', 'exited')]);
    expect(condition(status, 'Initialized')).toMatchObject({ status: 'True', reason: 'PodCompleted' });
    expect(condition(status, 'Ready')).toMatchObject({ status: 'False', reason: 'PodCompleted' });
  });
  test('an unset readiness gate', () => {
    const gated = { readinessGates: [{ conditionType: 'example.com/lb' }] };
    expect(condition(statusOf(gated, [made('a', 'running')]), 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ReadinessGatesNotReady',
      message: 'corresponding condition of pod readiness gate "example.com/lb" does not exist.',
    });
    const opened = { conditions: [{ type: 'example.com/lb', status: 'True' }] } as Partial<PodStatus>;
    expect(condition(statusOf(gated, [made('a', 'running')], {}, opened), 'Ready')).toMatchObject({ status: 'True' });
  });
  test('times move only with the status', () => {
    const before = statusOf({}, [made('a', 'running')]);
    const later = statusOf({}, [made('a', 'running')], { now: 120_000 }, before);
    expect(condition(later, 'Ready')?.lastTransitionTime).toBe('1970-01-01T00:01:00Z');
    const unready = statusOf({}, [made('a', 'running')], { now: 120_000, isReady: () => false }, before);
    expect(condition(unready, 'Ready')?.lastTransitionTime).toBe('1970-01-01T00:02:00Z');
  });
  test('conditions of other writers are kept', () => {
    const api = pod(
      {},
      {
        conditions: [
          { type: 'Ready', status: 'True' },
          { type: 'example.com/x', status: 'True' },
        ] as PodStatus['conditions'],
      },
    );
    const reported = { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] } as PodStatus;
    expect(withKnownStatus(api, reported).status).toEqual({
      phase: 'Running',
      conditions: [
        { type: 'Ready', status: 'False' },
        { type: 'example.com/x', status: 'True' },
      ],
    });
  });
});
