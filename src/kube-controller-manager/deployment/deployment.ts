// Rolls a Deployment's pods from one template to the next by scaling one ReplicaSet a template.
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/

import { controllerOf, isPodTerminal, type Pod, type ReplicaSet } from '../../api/api.ts';
import { type Controller, own, ownedBy } from '../../client/client.ts';
import { claim, orphanIndex, orphansOf } from '../shared/claim.ts';
import { desiredAnnotation } from './annotations.ts';
import { cleanUpOldSets, setNewRevision } from './revisions.ts';
import { newSetOf, type Rollout } from './rollout.ts';
import { replicasOf, rollOver, scaleAll, scaleProportionally } from './scale.ts';
import { isComplete, syncPausedCondition, syncRolloutStatus, syncStatus } from './status.ts';

export const deployment: Controller = {
  name: 'deployment',
  watches: [
    own('deployments'),
    ownedBy('replicasets', 'Deployment'),
    orphansOf('replicasets', 'deployments'),
    {
      // Recreate waits for the last old pod to be gone.
      resource: 'pods',
      matters: () => false,
      *keys(pod: Pod, { lister }) {
        const set = lister('replicasets').get(`${pod.metadata.namespace}/${controllerOf(pod)?.name}`);
        const owner = set && controllerOf(set);
        const key = `${pod.metadata.namespace}/${owner?.name}`;
        if (lister('deployments').get(key)?.spec.strategy?.type === 'Recreate') yield key;
      },
    },
  ],
  indexes: [orphanIndex('replicasets')],
  async reconcile(key, tools) {
    const deployment = tools.lister('deployments').get(key);
    if (!deployment) return;
    const { selector } = deployment.spec;
    if (!selector.matchExpressions?.length && Object.keys(selector.matchLabels ?? {}).length === 0) {
      const message = 'This deployment is selecting all pods. A non-empty selector is required.';
      tools.events.event(deployment, 'Warning', 'SelectingAll', message);
      return;
    }
    const sets = await claim<ReplicaSet>(deployment, 'deployments', 'replicasets', tools);
    return sync({ deployment, sets, tools });
  },
};

async function sync(rollout: Rollout): Promise<{ after: number } | void> {
  if (rollout.deployment.metadata.deletionTimestamp) return syncStatus(rollout);
  await syncPausedCondition(rollout);
  if (rollout.deployment.spec.paused || wasScaled(rollout)) return scaleOnly(rollout);
  return rollout.deployment.spec.strategy?.type === 'Recreate' ? recreate(rollout) : roll(rollout);
}

/** Whether replicas were changed since the sets were last scaled: then they are scaled in proportion first. */
const wasScaled = ({ deployment, sets }: Rollout): boolean =>
  sets.some(
    (set) =>
      replicasOf(set) > 0 &&
      set.metadata.annotations?.[desiredAnnotation] !== undefined &&
      Number(set.metadata.annotations[desiredAnnotation]) !== replicasOf(deployment),
  );

async function scaleOnly(rollout: Rollout): Promise<void> {
  await setNewRevision(rollout, false);
  await scaleProportionally(rollout);
  if (rollout.deployment.spec.paused) await cleanUpOldSets(rollout);
  await syncStatus(rollout);
}

async function roll(rollout: Rollout): Promise<{ after: number } | void> {
  await setNewRevision(rollout, true);
  const moved = await rollOver(rollout);
  if (!moved && isComplete(rollout.deployment)) await cleanUpOldSets(rollout);
  return syncRolloutStatus(rollout);
}

async function recreate(rollout: Rollout): Promise<{ after: number } | void> {
  await setNewRevision(rollout, false);
  const newSet = newSetOf(rollout);
  const oldSets = rollout.sets.filter((set) => set !== newSet);
  if (await scaleAll(rollout, oldSets, 0)) return syncRolloutStatus(rollout);
  const { lister } = rollout.tools;
  if (
    oldSets.some((set) =>
      lister('pods')
        .ownedBy(set)
        .some((pod) => !isPodTerminal(pod)),
    )
  )
    return syncRolloutStatus(rollout);
  await setNewRevision(rollout, true);
  const created = newSetOf(rollout);
  if (created) await scaleAll(rollout, [created], replicasOf(rollout.deployment));
  if (isComplete(rollout.deployment)) await cleanUpOldSets(rollout);
  return syncRolloutStatus(rollout);
}
