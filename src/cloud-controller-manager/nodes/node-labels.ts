// The labels of a node from its machine in the cloud, in both of Kubernetes' generations.

import type { Instance } from '../provider.ts';

type Labels = Readonly<Record<string, string>>;

/** The old label of each pair is the source of the new one, as in Kubernetes. */
const generations = [
  { old: 'failure-domain.beta.kubernetes.io/zone', stable: 'topology.kubernetes.io/zone', field: 'zone' },
  { old: 'failure-domain.beta.kubernetes.io/region', stable: 'topology.kubernetes.io/region', field: 'region' },
  { old: 'beta.kubernetes.io/instance-type', stable: 'node.kubernetes.io/instance-type', field: 'type' },
] as const;

const kubernetesDomain = /(^|\.)(kubernetes|k8s)\.io\//;

interface NewLabels {
  readonly labels: Labels;
  /** More labels of the cloud that the node does not get, with the reason. */
  readonly discarded: readonly string[];
}

/** The labels that a node gets when it is initialized. */
export function initialLabels(instance: Instance, existing: Labels): NewLabels {
  const labels: Record<string, string> = {};
  for (const { old, stable, field } of generations) {
    const value = instance[field];
    if (value) Object.assign(labels, { [old]: value, [stable]: value });
  }
  const discarded: string[] = [];
  for (const [key, value] of Object.entries(instance.labels ?? {})) {
    const present = existing[key];
    if (kubernetesDomain.test(key)) discarded.push(`${key}: its domain is Kubernetes' own`);
    else if (present === undefined) labels[key] = value;
    else if (present !== value) discarded.push(`${key}: the node has the value "${present}"`);
  }
  return { labels, discarded };
}

/** Changes after which both generations of a node have the same values. */
export function reconciledLabels(existing: Labels): Labels {
  return Object.fromEntries(
    generations.flatMap(({ old, stable }) => {
      const value = existing[old];
      return value === undefined || existing[stable] === value ? [] : [[stable, value]];
    }),
  );
}
