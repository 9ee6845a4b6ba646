// Options of the policies of the CPU and topology managers. Errors are in Kubernetes' words. Pure.
// https://kubernetes.io/docs/concepts/policy/node-resource-managers/

export type PolicyOptions = Readonly<Record<string, string>>;

export interface StaticCpuOptions {
  readonly fullPcpusOnly: boolean;
  readonly distributesAcrossNuma: boolean;
  readonly strictReservation: boolean;
  readonly prefersUncoreCache: boolean;
}

const cpuOptions = {
  'full-pcpus-only': 'fullPcpusOnly',
  'distribute-cpus-across-numa': 'distributesAcrossNuma',
  'strict-cpu-reservation': 'strictReservation',
  'prefer-align-cpus-by-uncorecache': 'prefersUncoreCache',
} as const satisfies Record<string, keyof StaticCpuOptions>;
/** Off in Kubernetes 1.36 unless a feature gate turns them on. */
const alphaCpuOptions = ['align-by-socket', 'distribute-cpus-across-cores'];

/** Throws an Error for an option that cannot be used. */
export function staticCpuOptions(options: PolicyOptions = {}): StaticCpuOptions {
  const result = {
    ...{ fullPcpusOnly: false, distributesAcrossNuma: false, strictReservation: false, prefersUncoreCache: false },
  };
  for (const [name, value] of Object.entries(options)) {
    const quoted = JSON.stringify(name);
    if (alphaCpuOptions.includes(name))
      throw new Error(`CPU Manager Policy Alpha-level Options not enabled, but option ${quoted} provided`);
    const field = isCpuOption(name) ? cpuOptions[name] : undefined;
    if (!field) throw new Error(`unknown CPU Manager Policy option: ${quoted}`);
    result[field] = booleanOf(name, value);
  }
  if (result.prefersUncoreCache && result.distributesAcrossNuma)
    throw new Error(
      'static policy options prefer-align-cpus-by-uncorecache and distribute-cpus-across-numa can not be used at the same time',
    );
  return result;
}

const isCpuOption = (name: string): name is keyof typeof cpuOptions => Object.hasOwn(cpuOptions, name);

interface TopologyOptions {
  readonly prefersClosest: boolean;
  readonly mostNodes: number;
}

const defaultMostNodes = 8;

/** Throws an Error for an option that cannot be used. */
export function topologyOptions(options: PolicyOptions = {}): TopologyOptions {
  let [prefersClosest, mostNodes] = [false, defaultMostNodes];
  for (const [name, value] of Object.entries(options)) {
    const quoted = JSON.stringify(name);
    if (name === 'prefer-closest-numa-nodes') prefersClosest = booleanOf(name, value);
    else if (name === 'max-allowable-numa-nodes') {
      if (!/^[+-]?\d{1,9}$/.test(value))
        throw new Error(
          `unable to convert policy option to integer ${quoted}: strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`,
        );
      mostNodes = Number(value);
      if (mostNodes < defaultMostNodes)
        throw new Error(`the minimum value of ${quoted} should not be less than ${defaultMostNodes}`);
    } else throw new Error(`unknown Topology Manager Policy option: ${quoted}`);
  }
  return { prefersClosest, mostNodes };
}

const trueTexts = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const falseTexts = ['0', 'f', 'F', 'FALSE', 'false', 'False'];

function booleanOf(name: string, value: string): boolean {
  if (trueTexts.includes(value)) return true;
  if (falseTexts.includes(value)) return false;
  throw new Error(
    `bad value for option ${JSON.stringify(name)}: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
  );
}
