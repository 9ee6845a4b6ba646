// What each kind does beside what its schema says: one line a kind, in the file named after it.

import type { KindBehaviour } from '../kind.ts';
import { controllerRevision } from './apps/controllerrevision.ts';
import { daemonSet } from './apps/daemonset.ts';
import { deployment } from './apps/deployment.ts';
import { replicaSet } from './apps/replicaset.ts';
import { statefulSet } from './apps/statefulset.ts';
import { cronJob } from './batch/cronjob.ts';
import { job } from './batch/job.ts';
import { lease } from './coordination/lease.ts';
import { configMap } from './core/configmap.ts';
import { endpoints } from './core/endpoints.ts';
import { event } from './core/event.ts';
import { namespace } from './core/namespace.ts';
import { node } from './core/node.ts';
import { pod } from './core/pod.ts';
import { podTemplate } from './core/podtemplate.ts';
import { replicationController } from './core/replicationcontroller.ts';
import { secret } from './core/secret.ts';
import { service } from './core/service.ts';
import { serviceAccount } from './core/serviceaccount.ts';
import { endpointSlice } from './discovery/endpointslice.ts';
import { eventsEvent } from './events/event.ts';

/** By resource: `plural` or `plural.group`, with `/version` where versions differ. */
export const behaviours: Readonly<Record<string, KindBehaviour>> = {
  configmaps: configMap,
  'controllerrevisions.apps': controllerRevision,
  'cronjobs.batch': cronJob,
  'daemonsets.apps': daemonSet,
  'deployments.apps': deployment,
  endpoints,
  'endpointslices.discovery.k8s.io': endpointSlice,
  events: event,
  'events.events.k8s.io': eventsEvent,
  'jobs.batch': job,
  'leases.coordination.k8s.io': lease,
  namespaces: namespace,
  nodes: node,
  pods: pod,
  podtemplates: podTemplate,
  'replicasets.apps': replicaSet,
  replicationcontrollers: replicationController,
  secrets: secret,
  serviceaccounts: serviceAccount,
  services: service,
  'statefulsets.apps': statefulSet,
};
