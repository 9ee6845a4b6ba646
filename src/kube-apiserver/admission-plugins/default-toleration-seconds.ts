import type { Pod, Toleration } from '../../api/api.ts';
import type { AdmissionPlugin } from '../admission.ts';

/** For how long a pod without a toleration stays on such a node. */
export interface TolerationSeconds {
  readonly notReady: number;
  readonly unreachable: number;
}

const fiveMinutes = 300;

/** Adds tolerations for nodes that are not ready or unreachable, of five minutes by default. */
export function defaultTolerationSeconds({
  notReady = fiveMinutes,
  unreachable = fiveMinutes,
}: Partial<TolerationSeconds> = {}): AdmissionPlugin {
  const conditions = [
    ['node.kubernetes.io/not-ready', notReady],
    ['node.kubernetes.io/unreachable', unreachable],
  ] as const;
  return {
    name: 'DefaultTolerationSeconds',
    admit({ operation, kind, subresource, object }) {
      if (kind.group !== '' || kind.kind !== 'Pod' || subresource || !object) return;
      if (operation !== 'CREATE' && operation !== 'UPDATE') return;
      const { spec } = object as Pod;
      const missing = conditions.filter(([key]) => !spec.tolerations?.some((t) => covers(t, key)));
      if (missing.length === 0) return;
      const added = missing.map(
        ([key, tolerationSeconds]): Toleration => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds }),
      );
      spec.tolerations = [...(spec.tolerations ?? []), ...added];
    },
  };
}

const covers = ({ key, effect }: Toleration, wanted: string) =>
  (!key || key === wanted) && (!effect || effect === 'NoExecute');
