// The levels and schemas that always exist: one for administrators, and one for all other requests.
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#mandatory-configuration-objects

import bootstrap from '../../../facts/bootstrap.json' with { type: 'json' };
import type { FlowSchema, KubeObject, PriorityLevelConfiguration } from '../../api/api.ts';

const names = ['exempt', 'catch-all'];
const objects: Readonly<Record<string, readonly unknown[]>> = bootstrap.objects;
const mandatory = <T extends KubeObject>(resource: string): readonly T[] =>
  ((objects[`/apis/flowcontrol.apiserver.k8s.io/v1/${resource}`] ?? []) as readonly T[]).filter(({ metadata }) =>
    names.includes(metadata.name),
  );

export const mandatoryLevels: readonly PriorityLevelConfiguration[] = mandatory('prioritylevelconfigurations');
export const mandatorySchemas: readonly FlowSchema[] = mandatory('flowschemas');
