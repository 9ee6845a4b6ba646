// Fairness: a modest user beside a greedy one of the same priority level.
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { namespace, pod } from '../objects.ts';
import { type Figure, median, type Scenario } from '../scenario.ts';
import { expectCode, type Target } from '../target.ts';
import { prepareNamespace, removePods } from './api.ts';
import type { Greedy } from './greedy-user.ts';

const pods = `/api/v1/namespaces/${namespace}/pods`;
const greedyWidth = 200;
const modestRequests = 400;
const listed = 500;

async function tokenOf(target: Target, name: string): Promise<string> {
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  expectCode(await target.request('POST', accounts, { metadata: { name } }), 201, 409);
  const answer = expectCode(await target.request('POST', `${accounts}/${name}/token`, { spec: {} }), 201);
  return JSON.parse(answer.body.toString()).status.token;
}

async function allowPods(target: Target): Promise<void> {
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const metadata = { name: 'two-users-read-pods' };
  const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }];
  expectCode(await target.request('POST', `${rbac}/roles`, { metadata, rules }), 201, 409);
  const body = {
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: metadata.name },
    subjects: [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: `system:serviceaccounts:${namespace}` }],
  };
  expectCode(await target.request('POST', `${rbac}/rolebindings`, body), 201, 409);
}

/** One request after another: their durations in milliseconds, in ascending order. */
async function durations(user: Target, count: number): Promise<number[]> {
  const found: number[] = [];
  for (let i = 0; i < count; i++) {
    const beginMs = performance.now();
    expectCode(await user.request('GET', `${pods}/known`), 200);
    found.push(performance.now() - beginMs);
  }
  return found.sort((a, b) => a - b);
}

/** The modest user's durations while the greedy one, in a thread of the scenario, keeps requests for `path` in flight. */
async function beside(
  greedy: Greedy,
  path: string,
  work: () => Promise<number[]>,
): Promise<{ times: number[]; rate: number; refused: number }> {
  const worker = new Worker(new URL('./greedy-user.ts', import.meta.url), { workerData: { ...greedy, path } });
  await once(worker, 'message');
  const beginMs = performance.now();
  const times = await work();
  const seconds = (performance.now() - beginMs) / 1000;
  worker.postMessage('stop');
  const [{ answered, refused }] = await once(worker, 'message');
  await worker.terminate();
  return { times, rate: answered / seconds, refused };
}

const figure = (name: string, value: number, unit = 'ms'): Figure => ({ name, value, unit, better: 'less' });

export const twoUsers: Scenario = {
  name: 'two-users',
  about: `a user who gets one pod after another, alone and beside one with ${greedyWidth} requests in flight`,
  async prepare(target) {
    await prepareNamespace(target);
    await allowPods(target);
    expectCode(await target.request('POST', pods, pod('known')), 201, 409);
    for (let i = 0; i < listed; i++) expectCode(await target.request('POST', pods, pod(`listed-${i}`)), 201, 409);
  },
  async run(target, scale) {
    const modest = target.as(await tokenOf(target, 'modest'));
    const greedy = { kubeconfig: target.kubeconfig, token: await tokenOf(target, 'greedy'), width: greedyWidth };
    const count = Math.ceil(modestRequests * scale);
    const alone = await durations(modest, count);
    const gets = await beside(greedy, `${pods}/known`, () => durations(modest, count));
    const lists = await beside(greedy, pods, () => durations(modest, count));
    modest.close();
    const last = (times: number[]) => times[Math.floor(times.length * 0.99)];
    return [
      figure('alone, p50', median(alone)),
      figure('alone, p99', last(alone)),
      figure('beside gets, p50', median(gets.times)),
      figure('beside gets, p99', last(gets.times)),
      figure('beside lists, p50', median(lists.times)),
      figure('beside lists, p99', last(lists.times)),
      figure("the greedy user's gets", gets.rate, '/s'),
      figure("the greedy user's lists", lists.rate, '/s'),
      figure('refused', gets.refused + lists.refused, ''),
    ];
  },
  cleanUp: removePods,
};
