// The chosen devices as the result that a claim's status gets.

import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from '../../api/api.ts';
import type { AllocationResult, DeviceRequestAllocationResult } from './claim-types.ts';
import type { Alternative, ParsedClaim } from './requests.ts';
import type { Chosen } from './search.ts';

type Config = NonNullable<AllocationResult['devices']['config']>;

export function allocationResult(parsed: ParsedClaim, chosen: readonly Chosen[], node: string): AllocationResult {
  const config = configOf(parsed, chosenAlternatives(parsed, chosen));
  const nodeSelector = selectorOf(chosen, node);
  return {
    devices: { results: chosen.map(resultOf), ...(config.length > 0 && { config }) },
    ...(nodeSelector && { nodeSelector }),
  };
}

function resultOf({ request, device, pool, shareId, consumed }: Chosen): DeviceRequestAllocationResult {
  const { bindingConditions, bindingFailureConditions } = device;
  return {
    request: request.name.full,
    driver: pool.driver,
    pool: pool.name,
    device: device.name,
    ...(request.adminAccess && { adminAccess: true }),
    ...(request.tolerations && { tolerations: [...request.tolerations] }),
    ...(bindingConditions && { bindingConditions }),
    ...(bindingFailureConditions && { bindingFailureConditions }),
    ...(shareId !== undefined && { shareID: shareId }),
    ...(consumed && { consumedCapacity: { ...consumed } }),
  };
}

/** One for each request. Those of a request without devices were not needed. */
const chosenAlternatives = ({ requests }: ParsedClaim, chosen: readonly Chosen[]): readonly Alternative[] =>
  requests.map(
    (alternatives) => alternatives.find((each) => chosen.some(({ request }) => request === each)) ?? alternatives[0],
  );

/** First the classes', each class once, then the claim's. */
function configOf({ claim }: ParsedClaim, chosen: readonly Alternative[]): Config {
  const config: Config = [];
  const ofClass = new Map<string, Config>();
  for (const { name, class: deviceClass } of chosen) {
    const cached = ofClass.get(deviceClass.metadata.name);
    for (const entry of cached ?? []) entry.requests?.push(name.full);
    if (cached) continue;
    const added = (deviceClass.spec.config ?? []).map(({ opaque }) => ({
      source: 'FromClass' as const,
      requests: [name.full],
      ...(opaque && { opaque }),
    }));
    ofClass.set(deviceClass.metadata.name, added);
    config.push(...added);
  }
  for (const { requests, opaque } of claim.spec.devices.config ?? []) {
    const named = chosen.filter(({ name }) => requests?.includes(name.base) || requests?.includes(name.full));
    const entry = { source: 'FromClaim' as const, ...(requests && { requests }), ...(opaque && { opaque }) };
    // Once for each request that it names.
    config.push(...(requests?.length ? named : [claim]).map(() => entry));
  }
  return config;
}

/** The nodes that reach all devices; undefined for every node. */
function selectorOf(chosen: readonly Chosen[], node: string): NodeSelector | undefined {
  const term: { matchFields: NodeSelectorRequirement[]; matchExpressions: NodeSelectorRequirement[] } = {
    matchFields: [],
    matchExpressions: [],
  };
  for (const { device, slice } of chosen) {
    const { nodeName, nodeSelector } = slice.spec.perDeviceNodeSelection ? device : slice.spec;
    if (nodeName !== undefined || device.bindsToNode)
      return { nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }] };
    // Validation permits one term.
    const [{ matchFields = [], matchExpressions = [] }] = nodeSelector?.nodeSelectorTerms ?? [{}];
    addMissing(term.matchFields, matchFields);
    addMissing(term.matchExpressions, matchExpressions);
  }
  const { matchFields, matchExpressions } = term;
  if (matchFields.length + matchExpressions.length === 0) return undefined;
  const only: NodeSelectorTerm = {
    ...(matchExpressions.length > 0 && { matchExpressions }),
    ...(matchFields.length > 0 && { matchFields }),
  };
  return { nodeSelectorTerms: [only] };
}

function addMissing(to: NodeSelectorRequirement[], from: readonly NodeSelectorRequirement[]): void {
  const textOf = ({ key, operator, values = [] }: NodeSelectorRequirement) =>
    JSON.stringify([key, operator, [...values].sort()]);
  const present = new Set(to.map(textOf));
  for (const requirement of from) if (!present.has(textOf(requirement))) to.push(requirement);
}
