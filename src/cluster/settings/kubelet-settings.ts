// The options of nodes that have the kubelet's own names: its configuration file, and the policies of its resource managers.

import { milliValue, wholeValue } from '../../machinery/quantity.ts';
import { pairs, SettingError } from './setting-values.ts';

type Texts = Readonly<Record<string, string>>;

const choice = (flag: string, names: readonly string[], help: string) => ({
  ...{ flag, argument: '<policy>', help: `${help}: ${names.join(', ')}; by default ${names[0]}` },
  default: undefined as string | undefined,
  read(value: string): string | undefined {
    if (names.includes(value)) return value;
    throw new SettingError(`Allowed choices are ${names.join(', ')}.`);
  },
});

const options = (flag: string, help: string, check: (name: string, value: string) => void = () => {}) => ({
  ...{ flag, argument: '<name=value,...>', help },
  default: undefined as Texts | undefined,
  read(value: string): Texts | undefined {
    const found: Record<string, string> = {};
    for (const item of value.split(',').map((part) => part.trim())) {
      const [name, text = '', more] = item.split('=');
      if (!name || !text || more !== undefined) throw new SettingError(`"${item}" is not of the form name=value.`);
      check(name, text);
      found[name] = text;
    }
    return found;
  },
  format: (values: Texts | undefined) => pairs(values, '='),
});

interface NodeReservation {
  readonly numaNode: number;
  readonly limits: Texts;
}

/** In the format of the kubelet's own flag. */
const reservedMemory = {
  flag: 'reserved-memory',
  argument: '<numa:type=amount,...>',
  help: 'memory of each NUMA node for the machine itself, such as 0:memory=1Gi,hugepages-2Mi=4Mi;1:memory=1Gi',
  default: undefined as readonly NodeReservation[] | undefined,
  read(value: string): readonly NodeReservation[] | undefined {
    return value.split(';').map((item) => {
      const [, node, list] = /^(\d{1,3}):(.+)$/.exec(item.trim()) ?? [];
      const pairsOf = (list ?? '').split(',').map((pair) => /^([a-zA-Z0-9-]+)=(\w+)$/.exec(pair.trim()));
      if (node === undefined || pairsOf.some((pair) => !pair))
        throw new SettingError(`"${item}" is not of the form 0:memory=1Gi,hugepages-2Mi=4Mi.`);
      const limits = Object.fromEntries(pairsOf.map((pair) => [pair?.[1] ?? '', pair?.[2] ?? '']));
      for (const amount of Object.values(limits)) checkAmount(amount, wholeValue);
      return { numaNode: Number(node), limits };
    });
  },
  format: (values: readonly NodeReservation[] | undefined) =>
    (values ?? []).map(({ numaNode, limits }) => `${numaNode}:${pairs(limits, '=')}`).join(';'),
};

function checkAmount(text: string, read: (text: string) => number): void {
  try {
    if (read(text) >= 0) return;
  } catch {
    // refused below
  }
  throw new SettingError(`"${text}" is no amount. Give a quantity, such as 500m or 1Gi.`);
}

export const kubeletSettings = {
  systemReserved: options(
    'system-reserved',
    'CPU and memory of each node for the machine itself, such as cpu=500m,memory=1Gi',
    (name, value) => {
      if (name !== 'cpu' && name !== 'memory') throw new SettingError(`cannot reserve "${name}". Allowed: cpu, memory`);
      checkAmount(value, name === 'cpu' ? milliValue : wholeValue);
    },
  ),
  reservedCpus: {
    flag: 'reserved-cpus',
    argument: '<cpus>',
    help: 'CPUs for the machine itself, such as 0-1; in place of the CPU of --system-reserved',
    default: undefined as string | undefined,
    read(value: string): string | undefined {
      if (/^\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*$/.test(value)) return value;
      throw new SettingError('Give numbers and ranges of CPUs, such as 0-1,4.');
    },
  },
  cpuManagerPolicy: choice(
    'cpu-manager-policy',
    ['none', 'static'],
    'whether containers of Guaranteed pods with whole CPUs have these for themselves',
  ),
  cpuManagerPolicyOptions: options(
    'cpu-manager-policy-options',
    'options of the static policy, such as full-pcpus-only=true',
  ),
  memoryManagerPolicy: choice(
    'memory-manager-policy',
    ['None', 'Static'],
    'whether containers of Guaranteed pods have memory of few NUMA nodes; needs --reserved-memory',
  ),
  reservedMemory,
  topologyManagerPolicy: choice(
    'topology-manager-policy',
    ['none', 'best-effort', 'restricted', 'single-numa-node'],
    'whether CPUs, memory and devices must be of the same NUMA nodes',
  ),
  topologyManagerScope: choice(
    'topology-manager-scope',
    ['container', 'pod'],
    'the unit that gets the same NUMA nodes',
  ),
  topologyManagerPolicyOptions: options(
    'topology-manager-policy-options',
    'options of the topology manager, such as prefer-closest-numa-nodes=true',
  ),
};

type Values = { readonly [Name in keyof typeof kubeletSettings]: (typeof kubeletSettings)[Name]['default'] };

/** Those of the resource managers that are given; they take precedence over the file. */
export const managerFlags = (values: Partial<Values>) =>
  Object.fromEntries(
    Object.entries({
      reservedSystemCPUs: values.reservedCpus,
      cpuManagerPolicy: values.cpuManagerPolicy,
      cpuManagerPolicyOptions: values.cpuManagerPolicyOptions,
      memoryManagerPolicy: values.memoryManagerPolicy,
      reservedMemory: values.reservedMemory,
      topologyManagerPolicy: values.topologyManagerPolicy,
      topologyManagerScope: values.topologyManagerScope,
      topologyManagerPolicyOptions: values.topologyManagerPolicyOptions,
    }).filter(([, value]) => value !== undefined),
  );
