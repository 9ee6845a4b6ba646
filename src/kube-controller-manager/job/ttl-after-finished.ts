// Deletes Jobs some time after they have finished.
// https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/

import { ignoreNotFound, type Job } from '../../api/api.ts';
import { type Controller, own } from '../../client/client.ts';

const finishedAt = (job: Job): number | undefined => {
  const end = job.status?.conditions?.find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
  return end && Date.parse(end.lastTransitionTime ?? '');
};

export const ttlAfterFinished: Controller = {
  name: 'ttl-after-finished',
  component: 'ttl-after-finished-controller',
  watches: [own('jobs')],
  async reconcile(key, { lister, client, clock }) {
    const job = lister('jobs').get(key);
    const end = job && finishedAt(job);
    if (!job || end === undefined || job.spec.ttlSecondsAfterFinished === undefined || job.metadata.deletionTimestamp)
      return;
    const rest = end + job.spec.ttlSecondsAfterFinished * 1000 - clock.now();
    if (rest > 0) return { after: rest };
    const { name, namespace, uid, resourceVersion } = job.metadata;
    const preconditions = { uid, resourceVersion };
    await client
      .delete('jobs', { name, namespace }, { propagationPolicy: 'Foreground', preconditions })
      .catch(ignoreNotFound);
  },
};
