import { forbidden } from '../../api/api.ts';
import type { AdmissionPlugin } from '../admission.ts';
import { writtenPod } from './subject.ts';

const allowed = 'kubernetes.io/hostname';

/** https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#limitpodhardantiaffinitytopology */
export const limitPodHardAntiAffinityTopology: AdmissionPlugin = {
  name: 'LimitPodHardAntiAffinityTopology',
  validate(attributes) {
    const pod = writtenPod(attributes);
    const terms = pod?.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    const other = terms.find(({ topologyKey }) => topologyKey !== allowed);
    if (!other) return;
    throw forbidden(
      attributes.kind,
      pod?.metadata.name ?? '',
      `affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey ${other.topologyKey} but only key ${allowed} is allowed`,
    );
  },
};
