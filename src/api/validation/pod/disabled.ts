// Drops fields of a pod whose features are off in 1.36's defaults, unless the old pod had them.

import type { Container, PodSpec } from '../../generated/types.ts';
import { containersOf } from './windows.ts';

export function dropDisabledFields(spec: PodSpec | undefined, old?: PodSpec): void {
  if (!spec) return;
  if (!old?.schedulingGroup) delete spec.schedulingGroup;
  dropProjections(spec, old);
  dropStopSignals(spec, old);
}

/** Sources of projected volumes that only alpha features read. */
const alphaProjections = ['clusterTrustBundle', 'podCertificate'] as const;

function dropProjections(spec: PodSpec, old: PodSpec | undefined): void {
  for (const volume of spec.volumes ?? [])
    for (const source of volume.projected?.sources ?? [])
      for (const field of alphaProjections) if (source[field] && !hasProjection(old, field)) delete source[field];
}

const hasProjection = (spec: PodSpec | undefined, field: (typeof alphaProjections)[number]): boolean =>
  spec?.volumes?.some(({ projected }) => projected?.sources?.some((source) => source[field])) ?? false;

const hasStopSignal = ({ lifecycle }: Container): boolean => lifecycle?.stopSignal !== undefined;

function dropStopSignals(spec: PodSpec, old: PodSpec | undefined): void {
  for (const [container] of containersOf(spec, '')) {
    if (!hasStopSignal(container)) continue;
    if (old && [...containersOf(old, '')].some(([before]) => hasStopSignal(before))) return;
    const { stopSignal: _dropped, ...lifecycle } = container.lifecycle ?? {};
    container.lifecycle = lifecycle;
    if (!Object.keys(lifecycle).length) delete container.lifecycle;
  }
}
