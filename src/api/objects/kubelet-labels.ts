// Labels of Kubernetes' domains that a kubelet may set on its node.
// https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction

const kubeletLabels: ReadonlySet<string> = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
]);

const isWithin = (domain: string, parents: readonly string[]): boolean =>
  parents.some((parent) => domain === parent || domain.endsWith(`.${parent}`));

/** Labels outside of Kubernetes' domains are free. */
export function isKubeletLabel(key: string): boolean {
  const domain = key.includes('/') ? key.split('/')[0] : '';
  if (!isWithin(domain, ['kubernetes.io', 'k8s.io'])) return true;
  return kubeletLabels.has(key) || isWithin(domain, ['kubelet.kubernetes.io', 'node.kubernetes.io']);
}
