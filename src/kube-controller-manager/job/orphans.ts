// Removes the Job finalizer from pods whose Job is gone or finished, or that were released.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-tracking-with-finalizers

import { controllerOf, ignoreNotFound, type Job, type Pod } from '../../api/api.ts';
import { type Controller, keyOf, type Tools } from '../../client/client.ts';
import { selectorOf } from '../shared/claim.ts';
import { releasePods } from './job.ts';
import { isManagedElsewhere, isOver, isTracked } from './view.ts';

export const jobOrphans: Controller = {
  name: 'job-orphans',
  component: 'job-controller',
  watches: [
    { resource: 'pods', keys: (pod: Pod) => (isTracked(pod) ? [keyOf(pod)] : []) },
    { resource: 'jobs', keys: podsOf },
  ],
  async reconcile(key, tools) {
    const pod = tools.lister('pods').get(key);
    if (!pod || !isTracked(pod)) return;
    const owner = controllerOf(pod);
    if (owner && (owner.kind !== 'Job' || owner.apiVersion !== 'batch/v1')) return;
    const job = owner && (await jobOf(pod.metadata.namespace ?? '', owner, tools));
    if (job && (isManagedElsewhere(job) || !isOver(job))) return;
    const { failure } = await releasePods([pod], tools);
    if (failure) throw failure;
  },
};

/** Tracked pods that the Job has, or that its selector names. */
function podsOf(job: Job, { lister }: Tools): string[] {
  const pods = lister('pods').list(job.metadata.namespace);
  const isOf = (pod: Pod) =>
    controllerOf(pod)?.uid === job.metadata.uid || selectorOf(job).matches(pod.metadata.labels ?? {});
  return pods.filter((pod) => isTracked(pod) && isOf(pod)).map(keyOf);
}

/** The cache of Jobs may be older than that of pods: a missing Job is fetched. */
async function jobOf(
  namespace: string,
  { name, uid }: { name: string; uid: string },
  { lister, client }: Tools,
): Promise<Job | undefined> {
  const cached = lister('jobs').get(`${namespace}/${name}`);
  if (cached?.metadata.uid === uid) return cached;
  const live = await client.get('jobs', { namespace, name }).catch(ignoreNotFound);
  return live?.metadata.uid === uid ? live : undefined;
}
