import { describe, expect, test } from 'vitest';
import type { Container, Pod } from '../../api/api.ts';
import type { ContainerStatus, Sandbox } from '../../container-runtime/container-runtime.ts';
import { deadlineLeftMs, hashLabel, type PodActions, podActions, type RuntimePod } from './pod-actions.ts';

const pod = (spec: Partial<Pod['spec']> = {}) =>
  ({
    metadata: { name: 'p', uid: 'u' },
    spec: { restartPolicy: 'Always', containers: [{ name: 'a' }], ...spec },
  }) as Pod;
const sandbox = (state: Sandbox['state'] = 'ready', attempt = 0) =>
  ({ id: `s${attempt}`, state, config: { attempt } }) as Sandbox;
const made = (name: string, state: ContainerStatus['state'], more: Partial<ContainerStatus> = {}) =>
  ({
    id: `${name}${more.attempt ?? 0}`,
    name,
    state,
    attempt: 0,
    exitCode: 0,
    createdAt: 0,
    sandboxId: 's0',
    labels: {},
    ...more,
  }) as ContainerStatus;
const sidecar = { name: 'side', restartPolicy: 'Always' } as Container;
const init = { name: 'init' } as Container;
const two = [{ name: 'a' }, { name: 'b' }] as Container[];

const withRule = (action: string, operator: string, values: number[]) =>
  ({
    name: 'a',
    restartPolicy: 'Never',
    restartPolicyRules: [{ action, exitCodes: { operator, values } }],
  }) as unknown as Container;

interface Case {
  readonly case: string;
  readonly spec?: Partial<Pod['spec']>;
  readonly sandboxes?: Sandbox[];
  readonly containers?: ContainerStatus[];
  readonly unhealthy?: string[];
  readonly started?: Record<string, boolean>;
  readonly does: { start?: string[]; kill?: string[]; sandbox?: number; killPod?: boolean; reset?: string[] };
}

const cases: Case[] = [
  { case: 'a new pod gets a sandbox and its containers', sandboxes: [], does: { sandbox: 0, start: ['a'] } },
  {
    case: 'an ephemeral container is started beside running ones',
    spec: { ephemeralContainers: [{ name: 'look' }] as never },
    containers: [made('a', 'running')],
    does: { start: ['look'] },
  },
  {
    case: 'and never again',
    spec: { ephemeralContainers: [{ name: 'look' }] as never },
    containers: [made('a', 'running'), made('look', 'exited')],
    does: {},
  },
  { case: 'running containers continue', containers: [made('a', 'running')], does: {} },
  { case: 'a container that was created only is started', containers: [made('a', 'created')], does: { start: ['a'] } },
  { case: 'Always restarts after success', containers: [made('a', 'exited')], does: { start: ['a'] } },
  {
    case: 'OnFailure restarts after a failure',
    spec: { restartPolicy: 'OnFailure' },
    containers: [made('a', 'exited', { exitCode: 1 })],
    does: { start: ['a'] },
  },
  {
    case: 'OnFailure does not restart after success',
    spec: { restartPolicy: 'OnFailure' },
    containers: [made('a', 'exited')],
    does: { killPod: true },
  },
  {
    case: 'Never does not restart',
    spec: { restartPolicy: 'Never' },
    containers: [made('a', 'exited', { exitCode: 1 })],
    does: { killPod: true },
  },
  {
    case: 'a rule restarts against the policy of the pod',
    spec: { restartPolicy: 'Never', containers: [withRule('Restart', 'In', [42])] },
    containers: [made('a', 'exited', { exitCode: 42 })],
    does: { start: ['a'] },
  },
  {
    case: 'another exit code does not match it',
    spec: { restartPolicy: 'Never', containers: [withRule('Restart', 'In', [42])] },
    containers: [made('a', 'exited', { exitCode: 1 })],
    does: { killPod: true },
  },
  {
    case: 'NotIn matches all but the listed ones',
    spec: { restartPolicy: 'Never', containers: [withRule('Restart', 'NotIn', [42])] },
    containers: [made('a', 'exited', { exitCode: 1 })],
    does: { start: ['a'] },
  },
  {
    case: "a container's own policy counts before the pod's",
    spec: { containers: [{ name: 'a', restartPolicy: 'Never' } as Container] },
    containers: [made('a', 'exited', { exitCode: 1 })],
    does: { killPod: true },
  },
  {
    case: 'an unhealthy container with policy Never ends regardless of its rules',
    spec: { containers: [withRule('Restart', 'NotIn', [1]), { name: 'b' } as Container] },
    containers: [made('a', 'running'), made('b', 'running')],
    unhealthy: ['a0'],
    does: { kill: ['a0'] },
  },
  {
    case: 'a rule restarts all: the cause is removed last',
    spec: {
      restartPolicy: 'Never',
      containers: [withRule('RestartAllContainers', 'In', [88]), { name: 'b' } as Container],
      initContainers: [init, sidecar],
    },
    containers: [
      made('a', 'exited', { exitCode: 88 }),
      made('b', 'running'),
      made('init', 'exited'),
      made('side', 'running'),
    ],
    does: { reset: ['b0', 'side0', 'init0', 'a0'] },
  },
  {
    case: 'an init container with its own policy is tried again',
    spec: { restartPolicy: 'Never', initContainers: [{ name: 'init', restartPolicy: 'OnFailure' } as Container] },
    containers: [made('init', 'exited', { exitCode: 1 })],
    does: { start: ['init'] },
  },
  {
    case: 'an ephemeral container does not wait for initialization',
    spec: { initContainers: [init], ephemeralContainers: [{ name: 'look' }] as never },
    containers: [made('init', 'running')],
    does: { start: ['look'] },
  },
  {
    case: 'one of two goes on alone',
    spec: { restartPolicy: 'Never', containers: two },
    containers: [made('a', 'exited'), made('b', 'running')],
    does: {},
  },
  { case: 'the newest run counts', containers: [made('a', 'exited'), made('a', 'running', { attempt: 1 })], does: {} },
  {
    case: 'a dead sandbox is replaced',
    sandboxes: [sandbox('notready', 2)],
    containers: [made('a', 'exited', { sandboxId: 's2' })],
    does: { sandbox: 3, start: ['a'], killPod: true },
  },
  {
    case: 'but not where nothing restarts',
    spec: { restartPolicy: 'Never' },
    sandboxes: [sandbox('notready')],
    containers: [made('a', 'exited')],
    does: { killPod: true },
  },
  {
    case: 'two live sandboxes are one too many',
    sandboxes: [sandbox('ready', 1), sandbox()],
    does: { sandbox: 2, start: ['a'], killPod: true },
  },
  {
    case: 'a failed liveness probe restarts',
    containers: [made('a', 'running')],
    unhealthy: ['a0'],
    does: { kill: ['a0'], start: ['a'] },
  },
  {
    case: 'and with Never only ends',
    spec: { restartPolicy: 'Never', containers: two },
    containers: [made('a', 'running'), made('b', 'running')],
    unhealthy: ['a0'],
    does: { kill: ['a0'] },
  },
  {
    case: 'a failed startup probe restarts',
    containers: [made('a', 'running')],
    started: { a0: false },
    does: { kill: ['a0'], start: ['a'] },
  },
  {
    case: 'another image restarts regardless of the policy',
    spec: { restartPolicy: 'Never' },
    containers: [made('a', 'running', { labels: { [hashLabel]: 'old' } })],
    does: { kill: ['a0'], start: ['a'] },
  },
  {
    case: 'the first init container comes with the sandbox',
    spec: { initContainers: [init, sidecar] },
    sandboxes: [],
    does: { sandbox: 0, start: ['init'] },
  },
  {
    case: 'nothing starts while it runs',
    spec: { initContainers: [init] },
    containers: [made('init', 'running')],
    does: {},
  },
  {
    case: 'when it has succeeded the others start',
    spec: { initContainers: [init] },
    containers: [made('init', 'exited')],
    does: { start: ['a'] },
  },
  {
    case: 'when it failed it is tried again',
    spec: { initContainers: [init] },
    containers: [made('init', 'exited', { exitCode: 2 })],
    does: { start: ['init'] },
  },
  {
    case: 'with Never its failure is the pod',
    spec: { initContainers: [init], restartPolicy: 'Never' },
    containers: [made('init', 'exited', { exitCode: 2 })],
    does: { killPod: true },
  },
  {
    case: 'a sidecar starts before the main containers',
    spec: { initContainers: [sidecar] },
    does: { start: ['side'] },
  },
  {
    case: 'and they follow once it runs',
    spec: { initContainers: [sidecar] },
    containers: [made('side', 'running')],
    does: { start: ['a'] },
  },
  {
    case: 'or once its startup probe has succeeded',
    spec: { initContainers: [{ ...sidecar, startupProbe: {} }] },
    containers: [made('side', 'running')],
    does: {},
  },
  {
    case: 'a sidecar that ended is started again',
    spec: { initContainers: [sidecar] },
    containers: [made('side', 'exited', { exitCode: 1 }), made('a', 'running')],
    does: { start: ['side'] },
  },
];

test.each(cases)('$case', ({ spec, sandboxes = [sandbox()], containers = [], unhealthy = [], started = {}, does }) => {
  const probes = {
    liveness: (id: string) => (unhealthy.includes(id) ? false : undefined),
    startup: (id: string) => started[id],
  };
  const actions: PodActions = podActions(pod(spec), { sandboxes, containers } as RuntimePod, probes, () => 'new');
  expect({
    start: actions.start.map((s) => s.container.name),
    kill: actions.kill.map((k) => k.id),
    sandbox: actions.createSandbox ? actions.attempt : undefined,
    killPod: actions.killPod,
    reset: actions.reset,
  }).toEqual({ start: [], kill: [], sandbox: undefined, killPod: false, reset: [], ...does });
});

describe('activeDeadlineSeconds', () => {
  const at = (startTime: string | undefined, activeDeadlineSeconds?: number) =>
    deadlineLeftMs(
      { ...pod({ activeDeadlineSeconds }), status: { startTime } } as Pod,
      Date.parse('2026-01-01T00:00:10Z'),
    );
  test.each([
    ['none', at('2026-01-01T00:00:00Z'), Number.POSITIVE_INFINITY],
    ['not started', at(undefined, 5), Number.POSITIVE_INFINITY],
    ['left', at('2026-01-01T00:00:00Z', 12), 2000],
    ['over', at('2026-01-01T00:00:00Z', 5), -5000],
  ])('%s', (_, left, wanted) => expect(left).toBe(wanted));
});

type Probe = 'liveness' | 'startup';
test.each<[Probe, Partial<Pod['spec']>, string, string, string]>([
  ['liveness', {}, 'a', 'Unhealthy', 'Container a failed liveness probe, will be restarted'],
  ['startup', {}, 'a', 'StartupProbe', 'Container a failed startup probe, will be restarted'],
  ['liveness', { restartPolicy: 'Never', containers: two }, 'a', 'Unhealthy', 'Container a failed liveness probe'],
  ['liveness', { initContainers: [sidecar] }, 'side', 'Unhealthy', 'Init container side failed liveness probe'],
  ['startup', { initContainers: [sidecar] }, 'side', 'StartupProbe', 'Init container side failed startup probe'],
])('a failed %s probe of %j in %s is the reason, which decides the grace', (failed, spec, name, reason, message) => {
  const of = (probe: Probe) => (id: string) => (failed === probe && id === `${name}0` ? false : undefined);
  const runtime = {
    sandboxes: [sandbox()],
    containers: [made(name, 'running'), made('b', 'running')],
  } as unknown as RuntimePod;
  const probes = { liveness: of('liveness'), startup: of('startup') };
  const { kill } = podActions(pod(spec), runtime, probes, () => 'new');
  expect(kill.map((each) => [each.reason, each.message])).toEqual([[reason, message]]);
});
