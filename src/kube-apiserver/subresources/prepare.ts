// What may change through a subresource; everything else stays as it was.

import type { ApiObject } from '../../api/api.ts';

type Prepare = (next: ApiObject, live: ApiObject) => void;

/** Everything but metadata and what `keep` names comes from the live object. */
function restore(next: ApiObject, live: ApiObject, ...keep: readonly string[]): void {
  const kept = new Set(['apiVersion', 'kind', 'metadata', ...keep]);
  for (const field of Object.keys(next)) if (!kept.has(field)) delete next[field];
  for (const [field, value] of Object.entries(live)) if (!kept.has(field)) next[field] = value;
}

const status: Prepare = (next, live) => restore(next, live, 'status');

function ephemeralContainers(next: ApiObject, live: ApiObject): void {
  const { ephemeralContainers } = next.spec ?? {};
  restore(next, live);
  const { ephemeralContainers: _before, ...spec } = live.spec;
  next.spec = { ...spec, ...(ephemeralContainers?.length && { ephemeralContainers }) };
}

/** https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/ */
function resize(next: ApiObject, live: ApiObject): void {
  const wanted = next.spec ?? {};
  restore(next, live);
  const resized = (list: any[] | undefined, from: any[] | undefined) =>
    list?.map((container) => {
      const other = from?.find(({ name }: { name: string }) => name === container.name);
      if (!other) return container;
      const { resources, resizePolicy } = other;
      return { ...container, ...(resources && { resources }), ...(resizePolicy && { resizePolicy }) };
    });
  const { containers, initContainers } = live.spec;
  next.spec = {
    ...live.spec,
    containers: resized(containers, wanted.containers),
    ...(initContainers && { initContainers: resized(initContainers, wanted.initContainers) }),
  };
  if (wanted.resources) next.spec.resources = wanted.resources;
  else delete next.spec.resources; // which validation refuses
}

function finalize(next: ApiObject, live: ApiObject): void {
  const finalizers = next.spec?.finalizers;
  restore(next, live);
  next.spec = { ...live.spec };
  if (finalizers?.length) next.spec.finalizers = finalizers;
  else delete next.spec.finalizers;
}

function approval(next: ApiObject, live: ApiObject): void {
  const conditions = next.status?.conditions;
  restore(next, live);
  next.status = { ...live.status, ...(conditions && { conditions }) };
}

const bySubresource: Readonly<Record<string, Prepare>> = {
  status,
  ephemeralcontainers: ephemeralContainers,
  resize,
  finalize,
  approval,
};

/** Undefined for the object itself and for subresources that decide on their own. */
export const prepareSubresource = (subresource: string): Prepare | undefined => bySubresource[subresource];
