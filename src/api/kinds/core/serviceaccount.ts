import type { ServiceAccount } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';

export const serviceAccount: KindBehaviour<ServiceAccount> = {};
