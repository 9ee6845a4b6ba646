// The pods in objects: pods themselves, and the templates of workloads.

import { fieldsIn } from '../../machinery/parsed.ts';
import type { PodTemplateSpec } from '../generated/types.ts';
import type { ApiObject, Kind } from '../kind.ts';

/** The pod that the object is, or its template of pods. Undefined: its kind has none. */
export function podTemplateOf({ podTemplate }: Pick<Kind, 'podTemplate'>, object: ApiObject): PodLike | undefined {
  if (podTemplate === undefined) return undefined;
  const names = podTemplate.split('.').filter(Boolean);
  return names.reduce<unknown>((found, name) => fieldsIn(found)[name], object) as PodLike | undefined;
}

type PodLike = Partial<PodTemplateSpec>;
