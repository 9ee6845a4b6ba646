import { expect, test } from 'vitest';
import { ApiError, type ApiObject, builtinKinds } from '../../api/api.ts';
import type { AdmissionAttributes } from '../admission.ts';
import { noPrivilegedContainers } from './privileged-containers.ts';

const privileged = { containers: [{ name: 'a' }, { name: 'b', securityContext: { privileged: true } }] };
const template = { template: { spec: privileged } };

/** The faults, as the paths of fields. */
function ask(resource: string, group: string, object: object, given: object = {}): string[] {
  const builtIn = builtinKinds().find((one) => one.group === group && one.resource === resource);
  const kind = builtIn ?? { group, version: 'v1', resource, kind: resource };
  const attributes = { operation: 'CREATE', subresource: '', kind, object: { metadata: { name: 'x' }, ...object } };
  try {
    noPrivilegedContainers.validate?.({ ...attributes, ...given } as unknown as AdmissionAttributes);
    return [];
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return (error.status.details?.causes ?? []).map(({ field }) => field ?? '');
  }
}

const last = 'containers[1].securityContext.privileged';

test.each<[string, string, Partial<ApiObject> & object, string[]]>([
  ['pods', '', { spec: privileged }, [`spec.${last}`]],
  ['pods', '', { spec: { containers: [{ name: 'a' }] } }, []],
  [
    'pods',
    '',
    { spec: { ...privileged, initContainers: privileged.containers } },
    ['spec.initContainers[1].securityContext.privileged', `spec.${last}`],
  ],
  ['podtemplates', '', template, [`template.spec.${last}`]],
  ['replicationcontrollers', '', { spec: template }, [`spec.template.spec.${last}`]],
  ['deployments', 'apps', { spec: template }, [`spec.template.spec.${last}`]],
  ['cronjobs', 'batch', { spec: { jobTemplate: { spec: template } } }, [`spec.jobTemplate.spec.template.spec.${last}`]],
  ['pods', 'metrics.k8s.io', { spec: privileged }, []],
  ['services', '', { spec: privileged }, []],
])('%s of %j: %j', (resource, group, object, faults) => expect(ask(resource, group, object)).toEqual(faults));

test.each([
  [{ operation: 'UPDATE' }, 1],
  [{ operation: 'UPDATE', subresource: 'ephemeralcontainers' }, 1],
  [{ operation: 'UPDATE', subresource: 'status' }, 0],
  [{ operation: 'DELETE' }, 0],
])('%j', (given, count) => expect(ask('pods', '', { spec: privileged }, given)).toHaveLength(count));
