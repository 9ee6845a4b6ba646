// Makes a static pod from the text of a manifest, with the defaults and rules of the API. Pure.
// https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/

import { createHash } from 'node:crypto';
import {
  ApiError,
  apiReferenceOf,
  builtinKinds,
  decodeValue,
  type Kind,
  type Pod,
  parseYaml,
  sortKeys,
  type Toleration,
} from '../../api/api.ts';
import { type Fields, isFields } from '../../machinery/parsed.ts';
import { dns1123LabelFaults } from '../../machinery/text/names.ts';
import { fullName, hashAnnotation, mirrorAnnotation, sourceAnnotation } from './pod-source.ts';

interface ManifestSource {
  /** Its file, or the URL of its list. */
  readonly place: string;
  readonly nodeName: string;
  /** As the annotation names it. */
  readonly from: 'file' | 'http';
}

/** The uid is the name of a directory. */
const safeUid = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** Faults in one line of the log. */
const mostFaults = 10;
const noExecute: Toleration = { operator: 'Exists', effect: 'NoExecute' };

let podKind: Kind | undefined;
const kindOfPod = (): Kind => {
  podKind ??= builtinKinds().find(({ group, kind }) => group === '' && kind === 'Pod');
  if (!podKind) throw new Error('there is no kind Pod');
  return podKind;
};

/** The first document of a file, YAML or JSON. Throws an Error with the reason why it is no static pod. */
export const staticPod = (text: string, source: Omit<ManifestSource, 'from'>): Pod =>
  made(decoded(parsed(text)), { ...source, from: 'file' });

/** The pods that a web server answered: one, or a list. Throws an Error if one of them is no static pod. */
export function staticPods(text: string, source: Omit<ManifestSource, 'from'>): readonly Pod[] {
  const value = parsed(text);
  const from = 'http';
  if (value['kind'] !== 'PodList') return [made(decoded(value), { ...source, from })];
  const { apiVersion, items = [] } = value;
  if (apiVersion !== 'v1' || !Array.isArray(items)) throw new Error("couldn't parse as a list of pods");
  const names = new Set<string>();
  return items.map((item: unknown) => {
    if (!isFields(item)) throw new Error("couldn't parse as a list of pods");
    const pod = made(decoded({ ...item, apiVersion, kind: 'Pod' }), { ...source, from });
    if (names.has(fullName(pod))) throw new Error(`duplicate pod name ${JSON.stringify(fullName(pod))}`);
    names.add(fullName(pod));
    return pod;
  });
}

function made(pod: Pod, source: ManifestSource): Pod {
  if (!pod.metadata.name) throw new Error('invalid pod: name is needed for the pod');
  if (pod.metadata.annotations?.[mirrorAnnotation] !== undefined)
    throw new Error(`invalid pod: a static pod may not have the annotation ${mirrorAnnotation}`);
  const { strategy } = kindOfPod();
  strategy.setDefaults?.(pod);
  place(pod, source);
  // Fields that the API ignores may refer to objects, too.
  const fault = referenceFault(pod);
  strategy.prepareForCreate?.(pod, { now: 0, user: { name: `system:node:${source.nodeName}` } });
  check(pod);
  if (fault) throw new Error(fault);
  return pod;
}

function referenceFault(pod: Pod): string | undefined {
  try {
    const reference = apiReferenceOf(pod, (why) => new Error(`invalid pod: ${why}`));
    return reference && `static pods may not reference ${reference}`;
  } catch (error) {
    return (error as Error).message;
  }
}

function parsed(text: string): Fields {
  const { value } = parseYaml(text);
  if (!isFields(value)) throw new Error("couldn't parse as pod, please check config file");
  return value;
}

function decoded(value: Fields): Pod {
  for (const [field, wanted] of [
    ['apiVersion', 'v1'],
    ['kind', 'Pod'],
  ] as const)
    if (value[field] !== wanted)
      throw new Error(`couldn't parse as pod: ${field} is ${JSON.stringify(value[field]) ?? 'missing'}, not ${wanted}`);
  const pod = decodeManifest(value);
  const { name, namespace, labels, annotations, finalizers, uid } = pod.metadata ?? {};
  // All else of the metadata belongs to an object of the API, from which the manifest may be a copy.
  const metadata = { name, namespace, uid, labels, annotations, finalizers } as Pod['metadata'];
  const { status: _status, ...rest } = pod;
  return { ...rest, metadata } as Pod;
}

function decodeManifest(value: Fields): Pod {
  try {
    return decodeValue(value, kindOfPod()).object as Pod;
  } catch (error) {
    if (error instanceof ApiError) throw new Error(`couldn't parse as pod: ${error.message}`);
    throw error;
  }
}

/** On this node: name, uid and annotations. */
function place(pod: Pod, source: ManifestSource): void {
  const { metadata, spec } = pod;
  const { nodeName, from } = source;
  metadata.uid ||= hashOf(pod, source);
  if (!safeUid.test(metadata.uid)) throw new Error(`invalid pod: metadata.uid ${JSON.stringify(metadata.uid)}`);
  metadata.name = `${metadata.name}-${nodeName.toLowerCase()}`;
  metadata.namespace ||= 'default';
  metadata.annotations = {
    ...metadata.annotations,
    [hashAnnotation]: metadata.uid,
    [sourceAnnotation]: from,
  };
  spec.nodeName = nodeName;
  const others = (spec.tolerations ?? []).filter(
    ({ key, operator, effect, value }) =>
      key || value || operator !== noExecute.operator || effect !== noExecute.effect,
  );
  // Problems of the node do not evict it: no controller would replace it.
  spec.tolerations = [...others, noExecute];
}

/** The same content of the same place on the same node has the same uid; the order of its fields does not count. */
const hashOf = (pod: Pod, { place, nodeName }: ManifestSource): string =>
  createHash('sha256')
    .update(JSON.stringify([sortKeys(pod), nodeName, place]))
    .digest('hex')
    .slice(0, 32);

function check(pod: Pod): void {
  const faults = (kindOfPod().strategy.validate?.(pod) ?? []).map(({ field, message }) => `${field}: ${message}`);
  const { namespace = '' } = pod.metadata;
  for (const fault of dns1123LabelFaults(namespace))
    faults.push(`metadata.namespace: Invalid value: ${JSON.stringify(namespace)}: ${fault}`);
  if (faults.length === 0) return;
  const more = faults.length > mostFaults ? ` and ${faults.length - mostFaults} more` : '';
  throw new Error(`invalid pod: [${faults.slice(0, mostFaults).join(', ')}]${more}`);
}
