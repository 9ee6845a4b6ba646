// Single operations of the API: create, get, list, patch, one at a time and many at once.

import { namespace, pod } from '../objects.ts';
import { measure, median, type Scenario } from '../scenario.ts';
import { expectCode, inFlight, type Target } from '../target.ts';

const pods = `/api/v1/namespaces/${namespace}/pods`;
const width = 64;
let serial = 0;

export async function prepareNamespace(target: Target): Promise<void> {
  expectCode(await target.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } }), 201, 409);
  expectCode(
    await target.request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'default' } }),
    201,
    409,
  );
}

export async function removePods(target: Target): Promise<void> {
  await target.request('DELETE', `${pods}?gracePeriodSeconds=0`);
}

export async function createPods(
  target: Target,
  count: number,
  labels?: (index: number) => Record<string, string>,
): Promise<void> {
  const batch = serial++;
  await inFlight(
    count,
    width,
    async (i) => void expectCode(await target.request('POST', pods, pod(`p-${batch}-${i}`, labels?.(i))), 201),
  );
}

export const create: Scenario = {
  name: 'create',
  about: 'create pods durably over TLS, 64 in flight',
  prepare: prepareNamespace,
  run: (target, scale) => measure(target, 'create', 2000 * scale, () => createPods(target, 2000 * scale)),
  cleanUp: removePods,
};

export const createOne: Scenario = {
  name: 'create-one',
  about: 'create pods one at a time',
  prepare: prepareNamespace,
  async run(target, scale) {
    const times: number[] = [];
    for (let i = 0; i < 200 * scale; i++) {
      const beginMs = performance.now();
      expectCode(await target.request('POST', pods, pod(`one-${serial++}`)), 201);
      times.push(performance.now() - beginMs);
    }
    return [{ name: 'create one at a time, p50', value: median(times), unit: 'ms', better: 'less' }];
  },
  cleanUp: removePods,
};

export const get: Scenario = {
  name: 'get',
  about: 'GET a pod over TLS, 64 in flight',
  async prepare(target) {
    await prepareNamespace(target);
    expectCode(await target.request('POST', pods, pod('known')), 201, 409);
  },
  run: (target, scale) =>
    measure(target, 'get', 10_000 * scale, () =>
      inFlight(10_000 * scale, width, async () => void expectCode(await target.request('GET', `${pods}/known`), 200)),
    ),
  cleanUp: removePods,
};

export const patch: Scenario = {
  name: 'patch',
  about: 'merge-patch pods, 64 in flight over as many pods',
  async prepare(target) {
    await prepareNamespace(target);
    await inFlight(
      width,
      width,
      async (i) => void expectCode(await target.request('POST', pods, pod(`patched-${i}`)), 201, 409),
    );
  },
  run(target, scale) {
    const one = async (i: number) => {
      const body = { metadata: { annotations: { 'bench.test/count': String(serial++) } } };
      expectCode(
        await target.request('PATCH', `${pods}/patched-${i % width}`, body, 'application/merge-patch+json'),
        200,
      );
    };
    return measure(target, 'patch', 2000 * scale, () => inFlight(2000 * scale, width, one));
  },
  cleanUp: removePods,
};

export const list: Scenario = {
  name: 'list',
  about: 'list 10,000 pods, all of them and by a label that one in a hundred has',
  async prepare(target, scale) {
    await prepareNamespace(target);
    await createPods(target, 10_000 * scale, (i) => ({ group: String(i % 100) }));
  },
  async run(target) {
    const once = async (path: string) => {
      const cpu = target.serverCpuMicros();
      const beginMs = performance.now();
      const { body } = expectCode(await target.request('GET', path), 200);
      const ms = performance.now() - beginMs;
      return {
        ms,
        cpuMs: cpu === undefined ? 0 : (target.serverCpuMicros()! - cpu) / 1000,
        megabytes: body.length / 1e6,
      };
    };
    const all = await once(pods);
    const some = await once(`${pods}?labelSelector=group%3D7`);
    const memory = target.serverMemoryBytes();
    return [
      { name: `list ${all.megabytes.toFixed(0)} MB`, value: all.ms, unit: 'ms', better: 'less' },
      { name: 'list: server CPU', value: all.cpuMs, unit: 'ms', better: 'less' },
      { name: 'list by label', value: some.ms, unit: 'ms', better: 'less' },
      ...(memory ? [{ name: 'memory with these pods', value: memory / 1e6, unit: 'MB', better: 'less' as const }] : []),
    ];
  },
  cleanUp: removePods,
};
