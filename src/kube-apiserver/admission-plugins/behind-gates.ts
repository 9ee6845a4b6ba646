import type { AdmissionPlugin } from '../admission.ts';

/**
 * These judge kinds and fields that 1.36 does not serve by default: ClusterTrustBundle, PodGroup, Workload. Their names
 * are known in configurations, and like in Kubernetes they have no effect.
 */
const inert = (name: string): AdmissionPlugin => ({ name });

export const podGroupProtection = inert('PodGroupProtection');
export const clusterTrustBundleAttest = inert('ClusterTrustBundleAttest');
export const podGroupWorkloadExists = inert('PodGroupWorkloadExists');
export const jobValidation = inert('JobValidation');
