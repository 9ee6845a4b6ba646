// https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/

import type { DeviceTaint, DeviceToleration, Taint, Toleration } from '../generated/types.ts';

/** Whether any of the tolerations takes the taint. An empty key with Exists takes all, an empty effect any effect. */
export const tolerates = (tolerations: readonly Toleration[] | undefined, taint: Taint): boolean =>
  tolerations?.some((t) => takes(t, taint)) ?? false;

/** An empty key takes all keys here, with each operator. */
export function toleratesDeviceTaint({ effect, key, operator, value }: DeviceToleration, taint: DeviceTaint): boolean {
  if ((effect && effect !== taint.effect) || (key && key !== taint.key)) return false;
  return operator === 'Exists' || ((operator ?? 'Equal') === 'Equal' && (value ?? '') === (taint.value ?? ''));
}

function takes(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  return Boolean(toleration.key) && (toleration.value ?? '') === (taint.value ?? '');
}
