import { type Binding, ignoreNotFound, type Pod } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { AdmissionPlugin } from '../admission.ts';

const copied = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'];

/**
 * Pods get their node's zone and region as labels: with the binding, or at once when they name their node themselves.
 * https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#podtopologylabels
 */
export const podTopologyLabels = (client: () => Client): AdmissionPlugin => ({
  name: 'PodTopologyLabels',
  async admit({ operation, resource, kind, subresource, object }) {
    if (operation !== 'CREATE' || kind.group !== '' || resource !== 'pods' || !object) return;
    const name =
      subresource === 'binding'
        ? boundNode((object as Binding).target)
        : subresource
          ? ''
          : (object as Pod).spec?.nodeName;
    if (!name) return;
    const node = await client().get('nodes', { name }).catch(ignoreNotFound);
    const labels = Object.entries(node?.metadata.labels ?? {}).filter(([label]) => copied.includes(label));
    if (labels.length) object.metadata.labels = { ...object.metadata.labels, ...Object.fromEntries(labels) };
  },
});

const boundNode = (target: { kind?: string; name?: string } | undefined): string | undefined =>
  target?.kind === 'Node' ? target.name : undefined;
