// The pods that a drain evicts, and those that stop it: the rules of `kubectl drain`.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';

export interface DrainOptions {
  /** Also pods that nothing creates again. */
  readonly isForced: boolean;
  /** Also pods whose emptyDir volumes are lost with them. */
  readonly losesLocalData: boolean;
}

export interface DrainPlan {
  readonly evicted: readonly PodName[];
  /** Pods of DaemonSets and static pods stay. */
  readonly staying: number;
  readonly refused: readonly (PodName & { readonly reason: 'unmanaged' | 'local-data' })[];
}

export interface PodName {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export function drainPlan(pods: readonly unknown[], { isForced, losesLocalData }: DrainOptions): DrainPlan {
  const evicted: PodName[] = [];
  const refused: DrainPlan['refused'][number][] = [];
  let staying = 0;
  for (const pod of pods.map(fieldsIn)) {
    const metadata = fieldsIn(pod['metadata']);
    const texts = { namespace: textIn(metadata['namespace']), name: textIn(metadata['name']) };
    const name = { ...texts, uid: textIn(metadata['uid']) };
    const controller = listIn(metadata['ownerReferences']).find((owner) => fieldsIn(owner)['controller'] === true);
    const hasEnded = ['Succeeded', 'Failed'].includes(textIn(fieldsIn(pod['status'])['phase']));
    const isStatic = fieldsIn(metadata['annotations'])['kubernetes.io/config.mirror'] !== undefined;
    if (isStatic || fieldsIn(controller)['kind'] === 'DaemonSet') staying++;
    else if (!controller && !hasEnded && !isForced) refused.push({ ...name, reason: 'unmanaged' });
    else if (hasLocalData(pod) && !hasEnded && !losesLocalData) refused.push({ ...name, reason: 'local-data' });
    else evicted.push(name);
  }
  return { evicted, staying, refused };
}

const hasLocalData = (pod: Readonly<Record<string, unknown>>): boolean =>
  listIn(fieldsIn(pod['spec'])['volumes']).some((volume) => fieldsIn(volume)['emptyDir'] !== undefined);
