import { forbidden, notSupported, type Pod } from '../../api/api.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { joinFaults } from './join-faults.ts';
import { containersOf, writtenPod } from './subject.ts';

const always = 'Always';

/**
 * Every image is pulled with the pod's credentials, so a copy on the node does not grant access.
 * https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#alwayspullimages
 */
export const alwaysPullImages: AdmissionPlugin = {
  name: 'AlwaysPullImages',
  admit(attributes) {
    const pod = podWithNewImages(attributes);
    if (!pod) return;
    for (const { container } of containersOf(pod)) container.imagePullPolicy = always;
    for (const { image } of pod.spec.volumes ?? []) if (image) image.pullPolicy = always;
  },
  validate(attributes) {
    const pod = podWithNewImages(attributes);
    if (pod) joinFaults(faultsOf(pod, attributes));
  },
};

function podWithNewImages(attributes: AdmissionAttributes): Pod | undefined {
  const pod = writtenPod(attributes);
  if (!pod || attributes.operation === 'CREATE') return pod;
  const previous = new Set([...containersOf(attributes.oldObject as Pod)].map(({ container }) => container.image));
  return containersOf(pod).some(({ container }) => !previous.has(container.image)) ? pod : undefined;
}

function faultsOf(pod: Pod, { kind, name }: AdmissionAttributes) {
  const set = [
    ...[...containersOf(pod)].map(({ container, path }) => [`${path}.imagePullPolicy`, container.imagePullPolicy]),
    ...(pod.spec.volumes ?? []).flatMap(({ image }, index) =>
      image ? [[`spec.volumes[${index}].image.pullPolicy`, image.pullPolicy]] : [],
    ),
  ] as [path: string, policy: string | undefined][];
  return set
    .filter(([, policy]) => policy !== always)
    .map(([path, policy = '']) => forbidden(kind, name, `${path}: ${notSupported(path, policy, [always]).message}`));
}
