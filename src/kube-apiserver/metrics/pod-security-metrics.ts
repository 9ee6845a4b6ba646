// Metrics of the admission plugin PodSecurity. https://kubernetes.io/docs/concepts/security/pod-security-admission/#metrics

import { perRegistry } from '../../machinery/metrics.ts';

export const podSecurityMetrics = perRegistry((metrics) => ({
  evaluations: metrics.counter(
    'pod_security_evaluations_total',
    'Number of policy evaluations that occurred, not counting ignored or exempt requests.',
  ),
  exemptions: metrics.counter(
    'pod_security_exemptions_total',
    'Number of exempt requests, not counting ignored or out of scope requests.',
  ),
}));
