import type { Pod, Toleration } from '../../api/api.ts';
import type { AdmissionPlugin } from '../admission.ts';

const evictionSeconds = 300;
const conditions = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];

/** Pods stay for five minutes on a not-ready or unreachable node by default. */
export const defaultTolerationSeconds: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  admit({ operation, kind, subresource, object }) {
    if (kind.group !== '' || kind.kind !== 'Pod' || subresource || !object) return;
    if (operation !== 'CREATE' && operation !== 'UPDATE') return;
    const { spec } = object as Pod;
    const missing = conditions.filter((key) => !spec.tolerations?.some((t) => covers(t, key)));
    if (missing.length === 0) return;
    const added = missing.map(
      (key): Toleration => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: evictionSeconds }),
    );
    spec.tolerations = [...(spec.tolerations ?? []), ...added];
  },
};

const covers = ({ key, effect }: Toleration, wanted: string) =>
  (!key || key === wanted) && (!effect || effect === 'NoExecute');
