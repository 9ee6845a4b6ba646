// KubernetesAPIApprovalPolicyConformant: whether a definition in a group of the Kubernetes community is approved.

import { approvalOf, type CustomResourceDefinition } from '../../api/api.ts';
import type { Condition } from './conditions.ts';

/** Undefined for groups without approval. */
export function approvalCondition(crd: CustomResourceDefinition): Condition | undefined {
  const approval = approvalOf(crd);
  if (!approval) return undefined;
  const { state, reason } = approval;
  return {
    type: 'KubernetesAPIApprovalPolicyConformant',
    status: state === 'Approved' ? 'True' : 'False',
    reason: `${state}Annotation`,
    message: reason,
  } as Condition;
}
