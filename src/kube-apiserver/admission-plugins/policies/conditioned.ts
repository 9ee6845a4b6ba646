import type { Conditioned } from '../webhooks/metrics.ts';
import type { Policy } from './cases.ts';

/** The owner of match conditions. Metrics have the type `validate` for mutating policies too, as in Kubernetes. */
export const conditionedBy = ({
  metadata,
  spec,
}: Policy): Conditioned & { readonly failurePolicy: string | undefined } => ({
  name: metadata.name ?? '',
  kind: 'policy',
  type: 'validate',
  failurePolicy: spec.failurePolicy,
});
