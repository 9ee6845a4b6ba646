// Cases of Kubernetes' pod_resize.go and pod_level_resources_resize.go, with real containers: each pod is
// resized and back, and its cgroups, its status and its restarts are compared after both.

import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCgroups } from '../../src/container-runtime/container-runtime.ts';
import { isLong, notLong } from '../long/long.ts';
import { containerdPrograms, startContainerd } from './containerd.ts';
import { eventually, Machine, whyNot } from './machine.ts';

const cgroups = openCgroups();

type Lists = { requests?: Record<string, string>; limits?: Record<string, string> };
/** "20m/30m 35Mi/45Mi": request and limit of CPU, then of memory; - for none. One amount is both. */
function resourcesOf(text: string): Lists {
  const lists: Lists = {};
  for (const [i, amounts] of text.split(' ').entries()) {
    const name = i === 0 ? 'cpu' : 'memory';
    const [request, limit = request] = amounts.split('/');
    if (request !== '-') lists.requests = { ...lists.requests, [name]: request };
    if (limit !== '-') lists.limits = { ...lists.limits, [name]: limit };
  }
  return lists;
}

interface Case {
  readonly name: string;
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly pod?: readonly [from: string, to: string];
  /** A sidecar before the containers. */
  readonly sidecar?: readonly [from: string, to: string];
  readonly restart?: 'cpu' | 'memory';
  /** A limit cannot be removed, and a second restart waits for its back-off. */
  readonly oneWay?: boolean;
}
const guaranteed = ['20m 35Mi', '22m 37Mi', '24m 39Mi'];
const burstable = '20m/30m 35Mi/45Mi';
const large = '80m/90m 95Mi/105Mi';
const cases: readonly Case[] = [
  { name: 'cpu', from: ['20m 35Mi'], to: ['25m 35Mi'], sidecar: ['20m 35Mi', '20m 35Mi'] },
  { name: 'memory', from: ['20m 35Mi'], to: ['20m 40Mi'], sidecar: ['20m 35Mi', '20m 40Mi'] },
  { name: 'opposite-directions', from: ['20m 35Mi'], to: ['25m 30Mi'] },
  { name: 'memory-restarts', from: ['20m 35Mi'], to: ['20m 40Mi'], restart: 'memory', oneWay: true },
  { name: 'cpu-restarts', from: [burstable], to: ['25m/35m 30Mi/40Mi'], restart: 'cpu', oneWay: true },
  { name: 'net-increase', from: guaranteed, to: ['25m 40Mi', '27m 42Mi', '19m 34Mi'] },
  { name: 'net-decrease', from: guaranteed, to: ['25m 40Mi', '17m 32Mi', '19m 34Mi'] },
  { name: 'various', from: guaranteed, to: ['25m 35Mi', '17m 42Mi', '29m 44Mi'] },
  { name: 'requests-and-limits-opposite', from: [burstable], to: ['15m/35m 40Mi/40Mi'] },
  {
    name: 'adding',
    from: ['20m/- -', '- 35Mi/-', '20m/- 35Mi/-', '20m/- -', '- 35Mi/-'],
    to: ['25m/35m -', '- 30Mi/50Mi', '20m/- 30Mi/-', '15m/- 35Mi/-', '20m/- 40Mi/-'],
    oneWay: true,
  },
  { name: 'equivalents', from: ['2m/10m -'], to: ['1m/5m -'] },
  { name: 'pod-cpu-and-memory', from: [burstable], to: [burstable], pod: [large, '85m/95m 90Mi/110Mi'] },
  { name: 'pod-only', from: ['- -'], to: ['- -'], pod: ['50m 65Mi', '55m 70Mi'] },
  {
    name: 'pod-only-restarts',
    from: ['- -'],
    to: ['- -'],
    pod: ['50m 65Mi', '50m 70Mi'],
    restart: 'memory',
    oneWay: true,
  },
  { name: 'pod-and-containers', from: [burstable], to: ['25m/35m 40Mi/50Mi'], pod: [large, '90m/95m 99Mi/99Mi'] },
];

function podOf({ name, from, pod, sidecar, restart }: Case) {
  const container = (text: string, id: string) => ({
    name: id,
    image: 'coracle.local/hello',
    command: ['sh', '-c', 'exec sleep 6000'],
    resources: resourcesOf(text),
    ...(restart && { resizePolicy: [{ resourceName: restart, restartPolicy: 'RestartContainer' }] }),
  });
  const spec = {
    terminationGracePeriodSeconds: 0,
    containers: from.map((text, i) => container(text, `c${i + 1}`)),
    ...(sidecar && { initContainers: [{ ...container(sidecar[0], 'side'), restartPolicy: 'Always' }] }),
    ...(pod && { resources: resourcesOf(pod[0]) }),
  };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec };
}

const patchOf = ({ from, to, pod, sidecar }: Case, back: boolean) => ({
  spec: {
    containers: (back ? from : to).map((text, i) => ({ name: `c${i + 1}`, resources: resourcesOf(text) })),
    ...(sidecar && { initContainers: [{ name: 'side', resources: resourcesOf(sidecar[back ? 0 : 1]) }] }),
    ...(pod && { resources: resourcesOf(pod[back ? 0 : 1]) }),
  },
});

const millis = (amount?: string) => (amount === undefined ? 0 : Number.parseInt(amount, 10));
const quota = (amount?: string) => (amount ? Math.max(1000, millis(amount) * 100) : undefined);
const shares = (amount?: string) => Math.max(2, Math.floor((millis(amount) * 1024) / 1000));
/** The expected cgroup values. */
const limitsOf = ({ requests, limits }: Lists) => ({
  cpuShares: shares(requests?.['cpu'] ?? limits?.['cpu']),
  cpuQuota: quota(limits?.['cpu']),
  memoryLimitBytes: limits?.['memory'] ? millis(limits['memory']) * 2 ** 20 : undefined,
});

function sumOf(texts: readonly string[]): Lists {
  const all = texts.map(resourcesOf);
  const sum = (list: 'requests' | 'limits', name: string, unit: string, needsAll: boolean) => {
    const amounts = all.map((each) => each[list]?.[name]);
    if (needsAll && amounts.some((amount) => amount === undefined)) return {};
    const total = amounts.reduce((so, amount) => so + millis(amount), 0);
    return total > 0 ? { [name]: `${total}${unit}` } : {};
  };
  const lists = (list: 'requests' | 'limits') => ({
    ...sum(list, 'cpu', 'm', list === 'limits'),
    ...sum(list, 'memory', 'Mi', list === 'limits'),
  });
  return { requests: lists('requests'), limits: lists('limits') };
}

const named = (...names: readonly string[]) => cases.filter(({ name }) => isLong || names.includes(name));
resizesOn('native', named('cpu', 'memory-restarts', 'opposite-directions', 'net-increase', 'adding', 'pod-only'));
/** Enough to see that pods' cgroups are the kubelet's there as well. */
resizesOn('containerd', named('memory', 'net-decrease', 'pod-only', 'pod-and-containers'));

function resizesOn(runtime: 'native' | 'containerd', cases: readonly Case[]): void {
  const reason = runtime === 'native' ? whyNot() : (notLong ?? whyNot(...containerdPrograms));
  describe.skipIf(reason)(`in-place resize on ${runtime}${reason ? `: ${reason}` : ''}`, () => resizes(runtime, cases));
}

function resizes(runtime: 'native' | 'containerd', cases: readonly Case[]): void {
  let machine: Machine;
  let data: string;
  const kubectl = (...args: string[]) => machine.kubectl(...args);

  beforeAll(async () => {
    machine = new Machine();
    data = path.join(machine.directory, 'data');
    machine.kubeconfig = path.join(data, 'kubeconfig');
    const chosen =
      runtime === 'native'
        ? ['--runtime', 'native']
        : ['--runtime', 'cri', '--cri-endpoint', `unix://${await startContainerd(machine)}`];
    const up = ['up', '--data-dir', data, '--port', '0', '--proxy-mode', 'userspace', ...chosen];
    const { code, stderr, stdout } = await machine.coracle(...up);
    expect(code, `${stdout}${stderr}`).toBe(0);
    await machine.apply(...cases.map(podOf));
    await kubectl('wait', '--for=condition=Ready', 'pod', '--all', '--timeout=60s');
  }, 120_000);
  afterAll(async () => {
    if (!machine) return;
    await machine.coracle('down', '--delete', '--data-dir', data);
    machine.dispose();
  }, 60_000);

  const has = (cgroup: string) => {
    const { cpuShares, cpuQuota, memoryLimitBytes } = cgroups.limits(cgroup)!;
    return { cpuShares, cpuQuota, memoryLimitBytes };
  };

  async function expectResized(tested: Case, back: boolean): Promise<void> {
    const pod = JSON.parse(await kubectl('get', 'pod', tested.name, '-o', 'json'));
    const { uid, generation } = pod.metadata;
    const { conditions, observedGeneration, containerStatuses, initContainerStatuses = [], qosClass } = pod.status;
    expect(observedGeneration).toBe(generation);
    expect(conditions.filter((c: { type: string }) => c.type.startsWith('PodResize'))).toEqual([]);
    const podLevel = tested.pod && resourcesOf(tested.pod[back ? 0 : 1]);
    const parent = qosClass === 'Burstable' ? '/kubepods/burstable' : '/kubepods';
    const texts = [...(back ? tested.from : tested.to), ...(tested.sidecar ? [tested.sidecar[back ? 0 : 1]] : [])];
    for (const [i, status] of [...containerStatuses, ...initContainerStatuses].entries()) {
      const own = resourcesOf(texts[i]);
      expect(status.resources, status.name).toEqual(own);
      const id = status.containerID.split('://')[1];
      const given = podLevel?.limits ? { ...own, limits: { ...podLevel.limits, ...own.limits } } : own;
      expect(has(`${parent}/pod${uid}/${id}`), status.name).toEqual(limitsOf(given));
    }
    const total = podLevel ?? sumOf(texts);
    expect(has(`${parent}/pod${uid}`)).toEqual(limitsOf(total));
    expect(pod.status.allocatedResources ?? {}).toEqual(total.requests ?? {});
    const changes = JSON.stringify(patchOf(tested, true)) !== JSON.stringify(patchOf(tested, false));
    const restarts = tested.restart && changes ? (back ? 2 : 1) : 0;
    for (const status of containerStatuses) expect(status.restartCount).toBe(restarts);
  }

  test.each(cases)('$name', async (tested) => {
    for (const back of tested.oneWay ? [false] : [false, true]) {
      const patch = JSON.stringify(patchOf(tested, back));
      await kubectl('patch', 'pod', tested.name, '--subresource=resize', '-p', patch);
      await eventually(() => expectResized(tested, back));
    }
  });

  test('creation is no resize, and each completed resize is reported', async () => {
    const { items } = JSON.parse(await kubectl('get', 'events', '-o', 'json'));
    const count = (name: string, why: string) =>
      items.filter((e: any) => e.involvedObject.name === name && e.reason === why).length;
    for (const { name, oneWay } of cases)
      expect([count(name, 'ResizeStarted'), count(name, 'ResizeCompleted')], name).toEqual(oneWay ? [1, 1] : [2, 2]);
  });
}
