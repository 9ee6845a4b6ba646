// Verbs that mean something of their own for one resource.

import { cleanupFinalizer } from '../crd/custom-resources.ts';
import { remove } from '../registry/delete.ts';
import { itemOf } from '../registry/get.ts';
import { modify } from '../registry/modify.ts';
import type { Target } from '../registry/target.ts';
import { timestamp } from '../registry/write.ts';
import type { Reply } from '../request.ts';

/** Before a definition goes, its objects do: the finalizer sees to it. */
async function removeDefinition(target: Target): Promise<Reply> {
  const { metadata } = itemOf(target).object;
  const dryRun = target.request.query.has('dryRun');
  if (!dryRun && !metadata.deletionTimestamp && !metadata.finalizers?.includes(cleanupFinalizer)) {
    const condition = {
      type: 'Terminating',
      status: 'True',
      lastTransitionTime: timestamp(target.server.clock.now()),
      reason: 'InstanceDeletionPending',
      message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
    };
    await modify(target, (crd) => {
      crd.metadata.finalizers = [...(crd.metadata.finalizers ?? []), cleanupFinalizer];
      const others = (crd.status?.conditions ?? []).filter(({ type }: { type: string }) => type !== condition.type);
      crd.status = { ...crd.status, conditions: [...others, condition] };
    });
  }
  return remove(target);
}

export const whole: Readonly<Record<string, Readonly<Record<string, (target: Target) => Promise<Reply>>>>> = {
  customresourcedefinitions: { delete: removeDefinition },
};
