// Loads for the scheduler. Those with other names than `schedule` are Kubernetes' own, with the parameters of its
// scheduler_perf (test/integration/scheduler_perf): nodes, pods that are there already, and pods that are measured.
// Run them against a control plane without node lifecycle controller: the nodes have no kubelet to renew their Lease.

import { namespace, node, pod } from '../objects.ts';
import type { Figure, Scenario } from '../scenario.ts';
import { expectCode, inFlight, type Target, within } from '../target.ts';
import { prepareNamespace } from './api.ts';

const width = 64;
const path = `/api/v1/namespaces/${namespace}/pods`;

interface Load {
  readonly name: string;
  readonly about: string;
  readonly nodes: number;
  /** Pods that have a node before the measured ones come. */
  readonly placed?: number;
  /** Pods that wait for a gate all the time. */
  readonly gated?: number;
  readonly pods: number;
  /** Of the nodes, spread evenly. */
  readonly zones?: number;
  /** Part of each measured and placed pod. */
  readonly spec?: object;
  readonly labels?: Readonly<Record<string, string>>;
  /** In place of `spec`, for the placed ones. */
  readonly placedSpec?: object;
}

let serial = 0;

function podOf(name: string, { labels = {} }: Load, spec: object): object {
  const made = pod(name, labels) as { spec: object };
  return { ...made, spec: { ...made.spec, schedulerName: 'default-scheduler', ...spec } };
}

async function makeNodes(target: Target, count: number, zones: number): Promise<void> {
  await inFlight(count, width, async (i) => {
    const made = node(`bench-${i}`) as { metadata: { labels: Record<string, string> } };
    if (zones > 0) made.metadata.labels['topology.kubernetes.io/zone'] = `zone-${i % zones}`;
    expectCode(await target.request('POST', '/api/v1/nodes', made), 201, 409);
  });
  const untainted = { spec: { taints: null } };
  await inFlight(count, width, async (i) => {
    const url = `/api/v1/nodes/bench-${i}`;
    expectCode(await target.request('PATCH', url, untainted, 'application/merge-patch+json'), 200);
  });
}

/** Creates so many pods; resolves when all have a node. */
async function place(target: Target, count: number, podAt: (name: string) => object) {
  const batch = `s-${serial++}`;
  const { metadata } = JSON.parse(expectCode(await target.request('GET', `${path}?limit=1`), 200).body.toString());
  const bound = new Set<string>();
  let done = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const pattern = new RegExp(`"name":"(${batch}-\\d+)".*"nodeName":"`);
  const stop = await target.watch(`${path}?watch=1&resourceVersion=${metadata.resourceVersion}`, (line) => {
    const found = pattern.exec(line)?.[1];
    if (found && bound.add(found).size === count) done();
  });
  const beginMs = performance.now();
  await inFlight(count, width, async (i) => {
    expectCode(await target.request('POST', path, podAt(`${batch}-${i}`)), 201);
  });
  const created = (performance.now() - beginMs) / 1000;
  await within(60_000 + 20 * count, all, () => `${bound.size} of ${count} pods were bound`);
  stop();
  return { created, seconds: (performance.now() - beginMs) / 1000 };
}

async function removeAll(target: Target): Promise<void> {
  const isEmpty = async () => {
    await target.request('DELETE', `${path}?gracePeriodSeconds=0`);
    return JSON.parse((await target.request('GET', `${path}?limit=1`)).body.toString()).items?.length === 0;
  };
  for (let attempt = 0; attempt < 50 && !(await isEmpty()); attempt++);
}

function scheduling(load: Load): Scenario {
  const { name, about, nodes, placed = 0, gated = 0, pods, zones = 0, spec = {}, placedSpec = spec } = load;
  return {
    name,
    about,
    async prepare(target, scale) {
      await prepareNamespace(target);
      for (const [name, value] of [
        ['low', 1],
        ['high', 10],
      ] as const)
        expectCode(
          await target.request('POST', '/apis/scheduling.k8s.io/v1/priorityclasses', {
            metadata: { name: `bench-${name}` },
            value,
          }),
          201,
          409,
        );
      await makeNodes(target, Math.ceil(nodes * scale), zones);
    },
    async run(target, scale): Promise<readonly Figure[]> {
      const held = { schedulingGates: [{ name: 'bench.test/gate' }] };
      await inFlight(gated * scale, width, async (i) => {
        expectCode(await target.request('POST', path, podOf(`gated-${i}`, load, { ...spec, ...held })), 201);
      });
      if (placed > 0) await place(target, placed * scale, (name) => podOf(name, load, placedSpec));
      const wanted = pods * scale;
      const cpu = target.serverCpuMicros();
      const { created, seconds } = await place(target, wanted, (name) => podOf(name, load, spec));
      const used = cpu === undefined ? undefined : target.serverCpuMicros()! - cpu;
      await removeAll(target);
      return [
        { name: 'pods scheduled (and created)', value: wanted / seconds, unit: '/s', better: 'more' },
        { name: 'bound after the last was created', value: (seconds - created) * 1000, unit: 'ms', better: 'less' },
        ...(used === undefined
          ? []
          : [{ name: 'a pod: server CPU', value: used / wanted, unit: 'us', better: 'less' as const }]),
      ];
    },
    async cleanUp(target) {
      await removeAll(target);
      await target.request('DELETE', '/api/v1/nodes');
      await target.request('DELETE', '/apis/scheduling.k8s.io/v1/priorityclasses');
    },
  };
}

const hostname = 'kubernetes.io/hostname';
const zone = 'topology.kubernetes.io/zone';
const blue = { color: 'blue' };
const term = (topologyKey: string) => ({
  requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: { matchLabels: blue }, topologyKey }],
});
const asking = (cpu: string, more: object) => ({
  containers: [{ name: 'main', image: 'registry.test/bench:1', resources: { requests: { cpu, memory: '500Mi' } } }],
  ...more,
});

export const scheduleScenarios: readonly Scenario[] = [
  { name: 'schedule', about: 'schedule 10,000 pods onto 5,000 nodes', nodes: 5000, pods: 10_000 },
  {
    name: 'SchedulingPodAntiAffinity',
    about: '2,000 pods, one a node of 5,000, beside 1,000 others',
    ...{ nodes: 5000, placed: 1000, pods: 2000, labels: blue },
    spec: { affinity: { podAntiAffinity: term(hostname) } },
  },
  {
    name: 'SchedulingPodAffinity',
    about: '5,000 pods in the zone of 5,000 others, of 5,000 nodes',
    ...{ nodes: 5000, zones: 1, placed: 5000, pods: 5000, labels: blue },
    spec: { affinity: { podAffinity: term(zone) } },
  },
  {
    name: 'TopologySpreading',
    about: '5,000 pods over 3 zones of 5,000 nodes, beside 5,000 others',
    ...{ nodes: 5000, zones: 3, placed: 5000, pods: 5000, labels: blue, placedSpec: {} },
    spec: {
      topologySpreadConstraints: [
        { maxSkew: 5, topologyKey: zone, whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: blue } },
      ],
    },
  },
  {
    name: 'PreemptionBasic',
    about: '1,000 pods in the place of 3,000 of 4,000 others, on 1,000 nodes',
    ...{ nodes: 1000, placed: 4000, pods: 1000 },
    placedSpec: asking('7200m', { priorityClassName: 'bench-low', terminationGracePeriodSeconds: 0 }),
    spec: asking('24', { priorityClassName: 'bench-high' }),
  },
  {
    name: 'SchedulingWhileGated',
    about: '10,000 pods onto 1,000 nodes, beside 10,000 gated ones',
    ...{ nodes: 1000, gated: 10_000, pods: 10_000 },
  },
].map(scheduling);
