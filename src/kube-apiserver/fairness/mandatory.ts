// The levels and schemas that always exist: one for administrators, and one for all other requests.
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#mandatory-configuration-objects

import bootstrap from '../../../facts/bootstrap.json' with { type: 'json' };
import type { FlowSchema, PriorityLevelConfiguration } from '../../api/api.ts';

const names = ['exempt', 'catch-all'];
const objects = bootstrap.objects as unknown as Record<string, readonly (FlowSchema & PriorityLevelConfiguration)[]>;
const mandatory = (resource: string) =>
  (objects[`/apis/flowcontrol.apiserver.k8s.io/v1/${resource}`] ?? []).filter(({ metadata }) =>
    names.includes(metadata.name),
  );

export const mandatoryLevels: readonly PriorityLevelConfiguration[] = mandatory('prioritylevelconfigurations');
export const mandatorySchemas: readonly FlowSchema[] = mandatory('flowschemas');
