// The resource managers' part of KubeletConfiguration: its fields, defaults and checks. Errors are in Kubernetes' words.
// https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/

import { bytes } from '../resources/resources.ts';
import { parseCpuSet } from './cpu-set.ts';
import type { MemoryReservation } from './memory-reservation.ts';
import { type PolicyOptions, staticCpuOptions, topologyOptions } from './policy-options.ts';
import { type TopologyPolicy, topologyPolicies } from './topology-policy.ts';

export interface ResourceManagersConfig {
  readonly cpuManagerPolicy: 'none' | 'static';
  readonly cpuManagerPolicyOptions: PolicyOptions;
  readonly cpuManagerReconcilePeriodMs: number;
  /** CPUs for the machine's own work, such as 0-1; the policy chooses them if left out. */
  readonly reservedSystemCPUs?: string;
  readonly memoryManagerPolicy: 'None' | 'Static';
  readonly reservedMemory: readonly MemoryReservation[];
  readonly topologyManagerPolicy: TopologyPolicy;
  readonly topologyManagerScope: 'container' | 'pod';
  readonly topologyManagerPolicyOptions: PolicyOptions;
}

const defaultResourceManagers: ResourceManagersConfig = {
  cpuManagerPolicy: 'none',
  cpuManagerPolicyOptions: {},
  cpuManagerReconcilePeriodMs: 10_000,
  memoryManagerPolicy: 'None',
  reservedMemory: [],
  topologyManagerPolicy: 'none',
  topologyManagerScope: 'container',
  topologyManagerPolicyOptions: {},
};

/** The same with texts that are not checked yet. */
export type ResourceManagersInput = {
  readonly [Field in keyof ResourceManagersConfig]?: ResourceManagersConfig[Field] extends string
    ? string
    : ResourceManagersConfig[Field];
};

/** Completes the fields with their defaults. Throws an Error for the first one that cannot be used. */
export function resourceManagersConfig(input: ResourceManagersInput): ResourceManagersConfig {
  const all = { ...defaultResourceManagers, ...input };
  const config: ResourceManagersConfig = {
    ...all,
    cpuManagerPolicy: oneOf(all.cpuManagerPolicy, ['none', 'static'], () => unknownPolicy(all.cpuManagerPolicy)),
    memoryManagerPolicy: oneOf(all.memoryManagerPolicy, ['None', 'Static'], () =>
      unknownPolicy(all.memoryManagerPolicy),
    ),
    topologyManagerPolicy: oneOf(all.topologyManagerPolicy, topologyPolicies, (allowed) => {
      const flag = 'topologyManagerPolicy (--topology-manager-policy)';
      return `invalid configuration: ${flag} ${JSON.stringify(all.topologyManagerPolicy)} must be one of: [${allowed.join(' ')}]`;
    }),
    topologyManagerScope: oneOf(all.topologyManagerScope, ['container', 'pod'], (allowed) => {
      const flag = 'topologyManagerScope (--topology-manager-scope)';
      return `invalid configuration: ${flag} ${JSON.stringify(all.topologyManagerScope)} must be one of: ${allowed.join(', or ')}`;
    }),
  };
  topologyOptions(config.topologyManagerPolicyOptions);
  if (config.cpuManagerPolicy === 'static') staticCpuOptions(config.cpuManagerPolicyOptions);
  else if (Object.keys(config.cpuManagerPolicyOptions).length > 0)
    throw new Error(`new none policy error: None policy: received unsupported options=${optionText(config)}`);
  checkReservedCpus(config.reservedSystemCPUs);
  checkReservedMemory(config.reservedMemory);
  return config;
}

const unknownPolicy = (policy: string): string => `unknown policy: ${JSON.stringify(policy)}`;

const optionText = ({ cpuManagerPolicyOptions }: ResourceManagersConfig): string =>
  `map[${Object.entries(cpuManagerPolicyOptions)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value}`)
    .join(' ')}]`;

function oneOf<T extends string>(
  value: string,
  allowed: readonly T[],
  fault: (allowed: readonly string[]) => string,
): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw new Error(fault(allowed.map((each) => JSON.stringify(each))));
  return found;
}

function checkReservedCpus(text: string | undefined): void {
  if (!text) return;
  try {
    parseCpuSet(text);
  } catch (error) {
    throw new Error(
      `invalid configuration: unable to parse reservedSystemCPUs (--reserved-cpus) ${text}, error: ${(error as Error).message}`,
    );
  }
}

function checkReservedMemory(reservations: readonly MemoryReservation[]): void {
  const seen = new Set<string>();
  for (const { numaNode, limits } of reservations)
    for (const [resource, amount] of Object.entries(limits)) {
      const where = `for NUMA node ${numaNode} and resource ${JSON.stringify(resource)}`;
      if (resource !== 'memory' && !resource.startsWith('hugepages-'))
        throw new Error(
          `invalid configuration: the limit type ${JSON.stringify(resource)} for NUMA node ${numaNode} is not supported, only [memory hugepages-<HugePageSize>] is accepted`,
        );
      if (bytes(amount) === 0) throw new Error(`invalid configuration: reserved memory may not be zero ${where}`);
      if (seen.has(`${numaNode} ${resource}`))
        throw new Error(`invalid configuration: the reserved memory has a duplicate value ${where}`);
      seen.add(`${numaNode} ${resource}`);
    }
}
