// A server that allows no privileged containers (--allow-privileged=false) refuses them in pods and in their templates.

import { invalid, podTemplateOf } from '../../api/api.ts';
import type { AdmissionPlugin } from '../admission.ts';

const lists = ['initContainers', 'containers', 'ephemeralContainers'] as const;

export const noPrivilegedContainers: AdmissionPlugin = {
  name: 'NoPrivilegedContainers',
  validate({ operation, kind, subresource, object }) {
    if (kind.podTemplate === undefined || !object || (operation !== 'CREATE' && operation !== 'UPDATE')) return;
    if (subresource && subresource !== 'ephemeralcontainers') return;
    const spec = podTemplateOf(kind, object)?.spec;
    const path = kind.podTemplate ? `${kind.podTemplate}.spec` : 'spec';
    const faults = lists.flatMap((list) =>
      (spec?.[list] ?? []).flatMap(({ securityContext }, index) =>
        securityContext?.privileged ? [`${path}.${list}[${index}].securityContext.privileged`] : [],
      ),
    );
    if (faults.length === 0) return;
    throw invalid(
      kind,
      object.metadata.name ?? '',
      faults.map((field) => ({
        type: 'FieldValueForbidden',
        field,
        message: 'Forbidden: disallowed by cluster policy',
      })),
    );
  },
};
