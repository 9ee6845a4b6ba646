import { namespace, node, pod } from '../objects.ts';
import type { Scenario } from '../scenario.ts';
import { expectCode, inFlight, within } from '../target.ts';
import { prepareNamespace } from './api.ts';

const nodes = 5000;
const pods = 10_000;
const width = 64;
const path = `/api/v1/namespaces/${namespace}/pods`;

/** Run it against a control plane without node lifecycle controller: its nodes have no kubelet to renew their Lease. */
export const schedule: Scenario = {
  name: 'schedule',
  about: 'schedule 10,000 pods onto 5,000 nodes',
  async prepare(target, scale) {
    await prepareNamespace(target);
    await inFlight(
      nodes * scale,
      width,
      async (i) => void expectCode(await target.request('POST', '/api/v1/nodes', node(`bench-${i}`)), 201, 409),
    );
    await inFlight(
      nodes * scale,
      width,
      async (i) =>
        void expectCode(
          await target.request(
            'PATCH',
            `/api/v1/nodes/bench-${i}`,
            { spec: { taints: null } },
            'application/merge-patch+json',
          ),
          200,
        ),
    );
  },
  async run(target, scale) {
    const wanted = pods * scale;
    const { metadata } = JSON.parse(expectCode(await target.request('GET', `${path}?limit=1`), 200).body.toString());
    const bound = new Set<string>();
    let done = () => {};
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    const stop = await target.watch(`${path}?watch=1&resourceVersion=${metadata.resourceVersion}`, (line) => {
      const found = /"name":"(s-\d+)".*"nodeName":"/.exec(line)?.[1];
      if (found && bound.add(found).size === wanted) done();
    });
    const cpu = target.serverCpuMicros();
    const beginMs = performance.now();
    await inFlight(wanted, width, async (i) => {
      const object = pod(`s-${i}`) as { spec: { schedulerName: string } };
      object.spec.schedulerName = 'default-scheduler';
      expectCode(await target.request('POST', path, object), 201);
    });
    const created = (performance.now() - beginMs) / 1000;
    await within(60_000 + 20 * wanted, all, () => `${bound.size} of ${wanted} pods were bound`);
    const seconds = (performance.now() - beginMs) / 1000;
    stop();
    await target.request('DELETE', `${path}?gracePeriodSeconds=0`);
    const used = cpu === undefined ? undefined : target.serverCpuMicros()! - cpu;
    return [
      { name: 'pods scheduled (and created)', value: wanted / seconds, unit: '/s', better: 'more' },
      { name: 'bound after the last was created', value: (seconds - created) * 1000, unit: 'ms', better: 'less' },
      ...(used === undefined
        ? []
        : [{ name: 'a pod: server CPU', value: used / wanted, unit: 'us', better: 'less' as const }]),
    ];
  },
  async cleanUp(target) {
    await target.request('DELETE', `${path}?gracePeriodSeconds=0`);
    await target.request('DELETE', '/api/v1/nodes');
  },
};
