import { forbidden } from '../../api/api.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';

function deny({ kind, name }: AdmissionAttributes): never {
  throw forbidden(kind, name, 'admission control is denying all modifications');
}

/** Refuses every write: deprecated in Kubernetes. */
export const alwaysDeny: AdmissionPlugin = { name: 'AlwaysDeny', admit: deny, validate: deny };
