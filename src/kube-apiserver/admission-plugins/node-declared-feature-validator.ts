import { forbidden, ignoreNotFound, type Pod } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';

/** Features of a kubelet that an update can need, in Kubernetes' order. */
const features: Readonly<Record<string, (next: Pod, old: Pod) => boolean>> = {
  InPlacePodLevelResourcesVerticalScaling: (next, old) =>
    !deepEqual(next.spec.resources ?? {}, old.spec.resources ?? {}),
  InPlacePodVerticalScalingInitContainers: (next, old) =>
    (old.spec.initContainers ?? []).some(
      ({ restartPolicy, resources }, index) =>
        restartPolicy !== 'Always' && !deepEqual(resources ?? {}, next.spec.initContainers?.[index]?.resources ?? {}),
    ),
};

/**
 * Refuses an update of a running pod that its node cannot carry out.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/node-declared-features/
 */
export const nodeDeclaredFeatureValidator = (client: () => Client): AdmissionPlugin => ({
  name: 'NodeDeclaredFeatureValidator',
  validate(attributes) {
    const { operation, kind, subresource, object, oldObject } = attributes;
    if (operation !== 'UPDATE' || kind.group !== '' || kind.resource !== 'pods') return;
    if (subresource && subresource !== 'resize') return;
    const [next, old] = [object, oldObject] as Pod[];
    if (!next.spec.nodeName || next.metadata.generation === old.metadata.generation) return;
    const needed = Object.keys(features).filter((feature) => features[feature](next, old));
    if (needed.length) return check(attributes, next.spec.nodeName, needed, client());
  },
});

async function check(
  { kind, name }: AdmissionAttributes,
  nodeName: string,
  needed: readonly string[],
  client: Client,
): Promise<void> {
  const node = await client.get('nodes', { name: nodeName }).catch(ignoreNotFound);
  if (!node) throw forbidden(kind, name, `node ${JSON.stringify(nodeName)} not found`);
  const missing = needed.filter((feature) => !node.status?.declaredFeatures?.includes(feature));
  if (missing.length)
    throw forbidden(
      kind,
      name,
      `pod update requires features ${missing.join(', ')} which are not available on node ${JSON.stringify(nodeName)}`,
    );
}
