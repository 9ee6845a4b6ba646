import {
  type ApiObject,
  type Container,
  forbidden,
  type LimitRange,
  type LimitRangeItem,
  type PersistentVolumeClaim,
  type Pod,
  podLimits,
  podRequests,
} from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { compareQuantities, milliValue, wholeValue } from '../../machinery/quantity.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';

type Amounts = Record<string, string>;

/** Defaults and bounds for the resources of containers, pods and claims. https://kubernetes.io/docs/concepts/policy/limit-range/ */
export const limitRanger = (client: () => Client): AdmissionPlugin => ({
  name: 'LimitRanger',
  async admit(attributes) {
    const { kind, namespace, object } = attributes;
    if (!concerns(attributes) || !object || kind.kind !== 'Pod') return;
    for (const range of await rangesOf(client(), namespace)) setDefaults(object as Pod, range);
  },
  async validate(attributes) {
    const { kind, namespace, name, object } = attributes;
    if (!concerns(attributes) || !object) return;
    for (const range of await rangesOf(client(), namespace)) {
      const faults = kind.kind === 'Pod' ? podFaults(object as Pod, range) : claimFaults(object, range);
      if (faults.length === 1) throw forbidden(kind, name, faults[0]);
      if (faults.length > 1) throw forbidden(kind, name, `[${faults.join(', ')}]`);
    }
  },
});

/** New pods and claims, resized pods and claims, unless they are being deleted. */
function concerns({ kind, subresource, operation, oldObject }: AdmissionAttributes): boolean {
  if (kind.group !== '' || oldObject?.metadata.deletionTimestamp) return false;
  if (kind.kind === 'Pod')
    return subresource ? subresource === 'resize' && operation === 'UPDATE' : operation === 'CREATE';
  return kind.kind === 'PersistentVolumeClaim' && !subresource && (operation === 'CREATE' || operation === 'UPDATE');
}

async function rangesOf(client: Client, namespace: string): Promise<readonly LimitRange[]> {
  return (await client.list('limitranges', { namespace })).items;
}

/** Sets default resources of containers, and lists them in an annotation of the pod. */
function setDefaults(pod: Pod, { spec }: LimitRange): void {
  const items = spec?.limits.filter((l) => l.type === 'Container') ?? [];
  const told: string[] = [];
  const apply = (container: Container, containerType: string) => {
    container.resources ??= {};
    const set: string[] = [];
    for (const [field, word] of [
      ['requests', 'request'],
      ['limits', 'limit'],
    ] as const) {
      const added: string[] = [];
      // A copy: containers may share one object.
      const amounts: Record<string, string> = { ...container.resources[field] };
      for (const item of items) {
        const values = (field === 'requests' ? item.defaultRequest : item.default) ?? {};
        for (const key in values)
          if (amounts[key] === undefined) {
            amounts[key] = values[key];
            added.push(key);
          }
      }
      if (added.length > 0) container.resources[field] = amounts;
      if (added.length > 0) set.push(`${added.sort().join(', ')} ${word} for ${containerType} ${container.name}`);
    }
    told.push(...set);
  };
  for (const container of pod.spec.containers) apply(container, 'container');
  for (const container of pod.spec.initContainers ?? []) apply(container, 'init container');
  if (told.length > 0)
    pod.metadata.annotations = {
      ...pod.metadata.annotations,
      'kubernetes.io/limit-ranger': `LimitRanger plugin set: ${told.join('; ')}`,
    };
}

function podFaults(pod: Pod, { spec }: LimitRange): string[] {
  const faults: string[] = [];
  // The overhead of a runtime class does not count.
  const { overhead: _overhead, ...rest } = pod.spec;
  const own = { spec: rest };
  for (const item of spec?.limits ?? []) {
    if (item.type === 'Container')
      for (const { resources } of [...pod.spec.containers, ...(pod.spec.initContainers ?? [])])
        faults.push(...boundFaults(item, resources?.requests ?? {}, resources?.limits ?? {}));
    if (item.type === 'Pod') faults.push(...boundFaults(item, podRequests(own), podLimits(own)));
  }
  return faults;
}

function claimFaults(object: ApiObject, { spec }: LimitRange): string[] {
  const requests = (object as PersistentVolumeClaim).spec.resources?.requests ?? {};
  return (spec?.limits ?? [])
    .filter((item) => item.type === 'PersistentVolumeClaim')
    .flatMap(({ maxLimitRequestRatio: _ratio, ...item }) => boundFaults(item, requests, {}));
}

function boundFaults(item: LimitRangeItem, requests: Amounts, limits: Amounts): string[] {
  const { type, min = {}, max = {}, maxLimitRequestRatio = {} } = item;
  const faults: string[] = [];
  for (const key in min) {
    const [request, limit] = [requests[key], limits[key]];
    if (request === undefined) faults.push(`minimum ${key} usage per ${type} is ${min[key]}.  No request is specified`);
    else if (compareQuantities(request, min[key]) < 0)
      faults.push(`minimum ${key} usage per ${type} is ${min[key]}, but request is ${request}`);
    else if (limit !== undefined && compareQuantities(limit, min[key]) < 0)
      faults.push(`minimum ${key} usage per ${type} is ${min[key]}, but limit is ${limit}`);
  }
  for (const key in max) {
    const [request, limit] = [requests[key], limits[key]];
    if (type === 'PersistentVolumeClaim') {
      if (request === undefined)
        faults.push(`maximum ${key} usage per ${type} is ${max[key]}.  No request is specified`);
      else if (compareQuantities(request, max[key]) > 0)
        faults.push(`maximum ${key} usage per ${type} is ${max[key]}, but request is ${request}`);
    } else if (limit === undefined)
      faults.push(`maximum ${key} usage per ${type} is ${max[key]}.  No limit is specified`);
    else if (compareQuantities(limit, max[key]) > 0)
      faults.push(`maximum ${key} usage per ${type} is ${max[key]}, but limit is ${limit}`);
    else if (request !== undefined && compareQuantities(request, max[key]) > 0)
      faults.push(`maximum ${key} usage per ${type} is ${max[key]}, but request is ${request}`);
  }
  for (const key in maxLimitRequestRatio)
    faults.push(...ratioFaults(type, key, maxLimitRequestRatio[key], requests[key], limits[key]));
  return faults;
}

function ratioFaults(
  type: string,
  key: string,
  ratio: string,
  request: string | undefined,
  limit: string | undefined,
): string[] {
  const value = (quantity: string) => (key === 'cpu' ? milliValue(quantity) : wholeValue(quantity));
  if (request === undefined || value(request) === 0)
    return [`${key} max limit to request ratio per ${type} is ${ratio}, but no request is specified or request is 0`];
  if (limit === undefined || value(limit) === 0)
    return [`${key} max limit to request ratio per ${type} is ${ratio}, but no limit is specified or limit is 0`];
  const actual = value(limit) / value(request);
  return actual > milliValue(ratio) / 1000
    ? [`${key} max limit to request ratio per ${type} is ${ratio}, but provided ratio is ${actual.toFixed(6)}`]
    : [];
}
