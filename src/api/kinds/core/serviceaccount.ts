import type { ServiceAccount } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';

/** Legacy: accounts once could forbid their pods to mount other secrets than those that they list. */
const enforceMountable = 'kubernetes.io/enforce-mountable-secrets';

export const serviceAccount: KindBehaviour<ServiceAccount> = {
  answersDeleted: true,
  strategy: {
    metadataOnUpdate: ['change', 'whole'],
    prepareForCreate: keepNamesOnly,
    prepareForUpdate: keepNamesOnly,
    warnings: (account, old) =>
      enforceMountable in (account.metadata.annotations ?? {}) &&
      !(enforceMountable in (old?.metadata.annotations ?? {}))
        ? [
            `metadata.annotations[${enforceMountable}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
          ]
        : [],
  },
};

/** Secrets are in the account's namespace: only their names are kept. */
function keepNamesOnly(account: ServiceAccount): void {
  if (account.secrets) account.secrets = account.secrets.map(({ name }) => (name ? { name } : {}));
}
