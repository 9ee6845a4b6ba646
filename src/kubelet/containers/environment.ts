// A container's environment: service variables, envFrom, env with valueFrom, and $(VAR) expansion.
// https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/

import type { ConfigMap, Container, Pod, Secret, Service } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import { bytes, milli } from '../resources/resources.ts';
import { valueInEnvFile } from './env-file.ts';

export interface EnvironmentSources {
  readonly services: readonly Service[];
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
  readonly nodeName: string;
  /** The value of a limit that is not set: the pod's limit, else the node's allocatable amount. */
  readonly allocatable: {
    readonly cpuMillis: number;
    readonly memoryBytes: number;
    readonly ephemeralStorageBytes: number;
  };
  /** Undefined when there is none. */
  configMap(name: string): Promise<ConfigMap | undefined>;
  secret(name: string): Promise<Secret | undefined>;
  /** The text of a file in a volume. Absent on simulated nodes, which have no files. */
  file?(volume: string, path: string): Promise<string>;
}

/** The container cannot be made until its configuration is right: reason CreateContainerConfigError. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

export interface Variable {
  readonly key: string;
  readonly value: string;
}

/**
 * Linux starts no program with more bytes of arguments and environment. Each variable may repeat the one before it
 * twice, so that forty short ones would have terabytes.
 */
const mostCharacters = 6 << 20;

const tooLong = () =>
  new ConfigError(`argument list too long: the variables and arguments have more than ${mostCharacters} bytes`);

/** The variables of one container, together within the limit. */
class Variables extends Map<string, string> {
  #left = mostCharacters;

  override set(key: string, value: string): this {
    this.#left += (this.get(key)?.length ?? -key.length) - value.length;
    if (this.#left < 0) throw tooLong();
    return super.set(key, value);
  }
}

/** Throws ConfigError when something that is not optional is missing. */
export async function makeEnvironment(
  pod: Pod,
  container: Container,
  sources: EnvironmentSources,
): Promise<Variable[]> {
  const variables = new Variables();
  for (const [name, value] of serviceVariables(pod, sources.services)) variables.set(name, value);
  for (const from of container.envFrom ?? []) {
    for (const [key, value] of await referenced(from, sources)) variables.set((from.prefix ?? '') + key, value);
  }
  // Only earlier variables are expanded: a reference to a later variable stays unchanged.
  for (const entry of container.env ?? []) {
    const value = entry.valueFrom
      ? await valueFrom(pod, container, entry, sources)
      : expand(entry.value ?? '', variables);
    if (value !== undefined) variables.set(entry.name, value);
  }
  return [...variables].map(([key, value]) => ({ key, value }));
}

async function referenced(
  from: NonNullable<Container['envFrom']>[number],
  sources: EnvironmentSources,
): Promise<[string, string][]> {
  if (from.configMapRef) {
    const { name = '', optional } = from.configMapRef;
    const found = await sources.configMap(name);
    if (!found && !optional) throw new ConfigError(`configmap "${name}" not found`);
    return Object.entries(found?.data ?? {});
  }
  if (from.secretRef) {
    const { name = '', optional } = from.secretRef;
    const found = await sources.secret(name);
    if (!found && !optional) throw new ConfigError(`secret "${name}" not found`);
    return Object.entries(found?.data ?? {}).map(([key, value]) => [key, decode(value)]);
  }
  return [];
}

const decode = (base64: string) => Buffer.from(base64, 'base64').toString();

async function valueFrom(
  pod: Pod,
  container: Container,
  entry: NonNullable<Container['env']>[number],
  sources: EnvironmentSources,
): Promise<string | undefined> {
  const from = must(entry.valueFrom, 'valueFrom');
  if (from.fieldRef) return fieldValue(pod, from.fieldRef.fieldPath, sources);
  if (from.resourceFieldRef) {
    const target = from.resourceFieldRef.containerName
      ? [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find(
          (c) => c.name === must(from.resourceFieldRef, 'resourceFieldRef').containerName,
        )
      : container;
    return resourceValue(target ?? container, from.resourceFieldRef.resource, from.resourceFieldRef.divisor, sources);
  }
  if (from.fileKeyRef) return fileValue(from.fileKeyRef, sources);
  const reference = from.configMapKeyRef ?? from.secretKeyRef;
  if (!reference) return undefined;
  const { name = '', key, optional } = reference;
  const kind = from.configMapKeyRef ? 'configmap' : 'secret';
  const found = from.configMapKeyRef ? await sources.configMap(name) : await sources.secret(name);
  const value = found?.data?.[key];
  if (value !== undefined) return from.configMapKeyRef ? value : decode(value);
  if (optional) return undefined;
  if (!found) throw new ConfigError(`${kind} "${name}" not found`);
  const title = kind === 'configmap' ? 'ConfigMap' : 'Secret';
  throw new ConfigError(`couldn't find key ${key} in ${title} ${pod.metadata.namespace}/${name}`);
}

type FileKeyRef = NonNullable<NonNullable<NonNullable<Container['env']>[number]['valueFrom']>['fileKeyRef']>;

async function fileValue(
  { volumeName, path, key, optional }: FileKeyRef,
  { file }: EnvironmentSources,
): Promise<string | undefined> {
  if (!file) return undefined;
  const text = await file(volumeName, path);
  let value: string | undefined;
  try {
    value = valueInEnvFile(text, key);
  } catch {
    throw new ConfigError("couldn't parse env file");
  }
  if (value === undefined && !optional)
    throw new ConfigError(`environment variable key ${JSON.stringify(key)} not found in file ${JSON.stringify(path)}`);
  return value;
}

/** Fields that the downward API offers. Throws ConfigError for any other. */
export function fieldValue(
  pod: Pod,
  path: string,
  sources: Pick<EnvironmentSources, 'podIPs' | 'hostIPs' | 'nodeName'>,
): string {
  const subscript = /^metadata\.(annotations|labels)\['(.+)'\]$/.exec(path);
  if (subscript) return pod.metadata[subscript[1] as 'annotations' | 'labels']?.[subscript[2]] ?? '';
  switch (path) {
    case 'metadata.name':
      return pod.metadata.name;
    case 'metadata.namespace':
      return pod.metadata.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata.uid;
    case 'metadata.labels':
      return keyValueLines(pod.metadata.labels);
    case 'metadata.annotations':
      return keyValueLines(pod.metadata.annotations);
    case 'spec.nodeName':
      return sources.nodeName;
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? '';
    case 'status.hostIP':
      return sources.hostIPs[0] ?? '';
    case 'status.hostIPs':
      return sources.hostIPs.join(',');
    case 'status.podIP':
      return sources.podIPs[0] ?? '';
    case 'status.podIPs':
      return sources.podIPs.join(',');
    default:
      throw new ConfigError(`unsupported fieldPath: ${path}`);
  }
}

/** `key="value"` lines, sorted, with Go's quoting. */
const keyValueLines = (map: Record<string, string> = {}) =>
  Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n');

/** A resource in units of its divisor, rounded up. A limit that is not set is the node's allocatable. */
export function resourceValue(
  container: Container,
  resource: string,
  divisor: string | undefined,
  sources: Pick<EnvironmentSources, 'allocatable'>,
): string {
  const [set, name] = resource.split('.') as ['limits' | 'requests', string];
  const given = container.resources?.[set]?.[name];
  const isCpu = name === 'cpu';
  const amount = (quantity: string) => (isCpu ? milli(quantity) : bytes(quantity));
  const fallback =
    set === 'requests'
      ? 0
      : isCpu
        ? sources.allocatable.cpuMillis
        : name === 'memory'
          ? sources.allocatable.memoryBytes
          : sources.allocatable.ephemeralStorageBytes;
  const unit = divisor && divisor !== '0' ? amount(divisor) : isCpu ? 1000 : 1;
  return String(Math.ceil((given === undefined ? fallback : amount(given)) / unit));
}

/** The words of a command, together within the limit. Throws ConfigError. */
export function expandAll(texts: readonly string[], variables: ReadonlyMap<string, string>): readonly string[] {
  let left = mostCharacters;
  return texts.map((text) => {
    const word = expand(text, variables, left);
    left -= word.length;
    return word;
  });
}

/**
 * $(NAME) becomes the variable's value, $$(NAME) the text $(NAME); an unknown name stays as it is. Throws ConfigError
 * for more than `most` characters.
 */
export function expand(text: string, variables: ReadonlyMap<string, string>, most = mostCharacters): string {
  let length = text.length;
  return text.replace(/\$(\$|\(([^)]*)\))/g, (all, part, name) => {
    const value = part === '$' ? '$' : (variables.get(name) ?? all);
    length += value.length - all.length;
    if (length > most) throw tooLong();
    return value;
  });
}

/** Docker-links-compatible variables of each service in the pod's namespace, and of the API server's service. */
function* serviceVariables(pod: Pod, services: readonly Service[]): Generator<[string, string]> {
  const all = pod.spec.enableServiceLinks !== false;
  const wanted = services.filter(({ metadata, spec }) => {
    if (!spec.clusterIP || spec.clusterIP === 'None') return false;
    if (metadata.namespace === 'default' && metadata.name === 'kubernetes') return true;
    return all && metadata.namespace === pod.metadata.namespace;
  });
  for (const { metadata, spec } of wanted) {
    const name = metadata.name.toUpperCase().replaceAll('-', '_');
    const [first] = spec.ports ?? [];
    if (!first) continue;
    const { clusterIP = '' } = spec;
    yield [`${name}_SERVICE_HOST`, clusterIP];
    yield [`${name}_SERVICE_PORT`, String(first.port)];
    for (const port of spec.ports ?? [])
      if (port.name) yield [`${name}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`, String(port.port)];
    for (const [index, port] of (spec.ports ?? []).entries()) {
      const protocol = (port.protocol ?? 'TCP').toLowerCase();
      const host = clusterIP.includes(':') ? `[${clusterIP}]` : clusterIP;
      const url = `${protocol}://${host}:${port.port}`;
      if (index === 0) yield [`${name}_PORT`, url];
      const prefix = `${name}_PORT_${port.port}_${protocol.toUpperCase()}`;
      yield [prefix, url];
      yield [`${prefix}_PROTO`, protocol];
      yield [`${prefix}_PORT`, String(port.port)];
      yield [`${prefix}_ADDR`, clusterIP];
    }
  }
}
