import type { ComponentStatus } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';

const healthy = (c: ComponentStatus) => c.conditions?.find(({ type }) => type === 'Healthy');

export const componentStatus: KindBehaviour<ComponentStatus> = {
  deprecation: 'v1 ComponentStatus is deprecated in v1.19+',
  cells: {
    Status: (c) => (healthy(c)?.status === 'True' ? 'Healthy' : 'Unhealthy'),
    Message: (c) => healthy(c)?.message ?? '',
    Error: (c) => healthy(c)?.error ?? '',
  },
};
