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
  switch (toleration.operator) {
    case 'Exists':
      return true;
    case 'Gt':
    case 'Lt':
      return compares(toleration.operator, toleration.value, taint.value);
    default:
      return Boolean(toleration.key) && (toleration.value ?? '') === (taint.value ?? '');
  }
}

/** KEP-5471: the taint's value must be greater (less) than the toleration's; both whole numbers. */
function compares(operator: 'Gt' | 'Lt', wanted: string | undefined, value: string | undefined): boolean {
  const whole = /^-?\d+$/;
  if (!wanted || !value || !whole.test(wanted) || !whole.test(value)) return false;
  return operator === 'Gt' ? BigInt(value) > BigInt(wanted) : BigInt(value) < BigInt(wanted);
}
