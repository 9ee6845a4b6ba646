// A server that allows no privileged containers (--allow-privileged=false) refuses them in pods and in their templates.

import { invalid } from '../../api/api.ts';
import { fieldsIn } from '../../machinery/parsed.ts';
import type { AdmissionPlugin } from '../admission.ts';

/** Paths of the pod specs in the kinds that have one. */
const specs: Readonly<Record<string, readonly string[]>> = {
  pods: ['spec'],
  podtemplates: ['template', 'spec'],
  cronjobs: ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
};
const workloads = ['replicationcontrollers', 'replicasets', 'deployments', 'statefulsets', 'daemonsets', 'jobs'];
const lists = ['initContainers', 'containers', 'ephemeralContainers'];

export const noPrivilegedContainers: AdmissionPlugin = {
  name: 'NoPrivilegedContainers',
  validate({ operation, kind, subresource, object }) {
    const isBuiltIn = ['', 'apps', 'batch'].includes(kind.group);
    const path = specs[kind.resource] ?? (workloads.includes(kind.resource) ? ['spec', 'template', 'spec'] : undefined);
    if (!isBuiltIn || !path || !object || (operation !== 'CREATE' && operation !== 'UPDATE')) return;
    if (subresource && subresource !== 'ephemeralcontainers') return;
    const spec = fieldsIn(path.reduce<unknown>((found, field) => fieldsIn(found)[field], object));
    const faults = lists.flatMap((list) =>
      ((spec[list] ?? []) as { securityContext?: { privileged?: boolean } }[]).flatMap((container, index) =>
        container.securityContext?.privileged ? [`${path.join('.')}.${list}[${index}].securityContext.privileged`] : [],
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
