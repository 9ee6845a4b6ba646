import { ignoreNotFound, type Namespace, notFound, type Pod, qosClass, type Toleration } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { plainError } from '../status.ts';
import { writtenPod } from './subject.ts';

const defaultAnnotation = 'scheduler.alpha.kubernetes.io/defaultTolerations';
const allowedAnnotation = 'scheduler.alpha.kubernetes.io/tolerationsWhitelist';

/** For namespaces without annotations. */
export interface TolerationRestriction {
  readonly default?: readonly Toleration[];
  readonly whitelist?: readonly Toleration[];
}

const memoryPressure: Toleration = {
  key: 'node.kubernetes.io/memory-pressure',
  operator: 'Exists',
  effect: 'NoSchedule',
};

/**
 * Gives pods their namespace's tolerations, and holds them to those that it allows.
 * https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#podtolerationrestriction
 */
export function podTolerationRestriction(client: () => Client, restriction: TolerationRestriction): AdmissionPlugin {
  const judge = async (attributes: AdmissionAttributes, pod: Pod, adds: boolean) => {
    const namespace = await namespaceOf(attributes, client());
    if (adds) {
      const added = attributes.operation === 'CREATE' ? tolerationsIn(namespace, defaultAnnotation) : [];
      const extra = [...(added ?? restriction.default ?? [])];
      if (qosClass(pod.spec) !== 'BestEffort') extra.push(memoryPressure);
      if (extra.length) pod.spec.tolerations = merged([...(pod.spec.tolerations ?? []), ...extra]);
    }
    if (!pod.spec.tolerations?.length) return;
    const own = tolerationsIn(namespace, allowedAnnotation);
    const allowed = own ?? restriction.whitelist ?? [];
    const isAllowed = (toleration: Toleration) => allowed.some((one) => includes(one, toleration));
    if (allowed.length && !pod.spec.tolerations.every(isAllowed))
      throw plainError(
        `pod tolerations (possibly merged with namespace default tolerations) conflict with its ${own ? 'namespace' : 'cluster'} whitelist`,
      );
  };
  const judged = (adds: boolean) => (attributes: AdmissionAttributes) => {
    const pod = writtenPod(attributes);
    return pod && judge(attributes, pod, adds);
  };
  return { name: 'PodTolerationRestriction', admit: judged(true), validate: judged(false) };
}

async function namespaceOf({ namespace }: AdmissionAttributes, client: Client): Promise<Namespace> {
  const found = await client.get('namespaces', { name: namespace }).catch(ignoreNotFound);
  if (!found) throw notFound({ group: '', resource: 'namespaces' }, namespace);
  return found;
}

/** Undefined without the annotation. */
function tolerationsIn({ metadata }: Namespace, annotation: string): readonly Toleration[] | undefined {
  const text = metadata.annotations?.[annotation];
  if (!text) return text === undefined ? undefined : [];
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    throw plainError((error as Error).message);
  }
  if (given === null) return [];
  const isToleration = (one: unknown) => typeof one === 'object' && one !== null && !Array.isArray(one);
  if (!Array.isArray(given) || !given.every(isToleration))
    throw plainError(`the annotation ${annotation} must be a list of tolerations`);
  return given;
}

/** Without those that another one includes; of two equal ones the first stays. */
function merged(all: readonly Toleration[]): Toleration[] {
  const kept: Toleration[] = [];
  for (const [index, one] of all.entries()) {
    const isCovered =
      kept.some((other) => includes(other, one)) ||
      all.slice(index + 1).some((other) => !deepEqual(other, one) && includes(other, one));
    if (!isCovered) kept.push(one);
  }
  return kept;
}

/** Whether `outer` tolerates everything that `inner` does. */
function includes(outer: Toleration, inner: Toleration): boolean {
  if (deepEqual(outer, inner)) return true;
  const { key = '', operator = 'Equal', effect = '', value = '', tolerationSeconds } = outer;
  if ((inner.key ?? '') !== key && (key || operator !== 'Exists')) return false;
  if ((inner.effect ?? '') !== effect && effect) return false;
  if (effect === 'NoExecute' && tolerationSeconds !== undefined)
    if (inner.tolerationSeconds === undefined || inner.tolerationSeconds > tolerationSeconds) return false;
  return operator === 'Exists' || (inner.operator === 'Equal' && (inner.value ?? '') === value);
}
