import type { AdmissionPlugin } from '../admission.ts';

/** Has no effect: deprecated in Kubernetes, and named in old configurations. */
export const alwaysAdmit: AdmissionPlugin = { name: 'AlwaysAdmit' };
