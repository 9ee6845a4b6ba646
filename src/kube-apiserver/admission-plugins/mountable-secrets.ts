import type { Container, EphemeralContainer, Pod, ServiceAccount } from '../../api/api.ts';

const annotation = 'kubernetes.io/enforce-mountable-secrets';
/** Texts that Go reads as true. */
const yes = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);

/** Whether pods of the account may only use the secrets that it lists. */
export const enforcesSecrets = ({ metadata }: ServiceAccount): boolean =>
  yes.has(metadata.annotations?.[annotation] ?? '');

/** Why a new pod may not refer to a secret; undefined when it may. */
export function secretFault({ spec }: Pod, account: ServiceAccount): string | undefined {
  const own = secretsOf(account);
  const by = `service account ${account.metadata.name}`;
  for (const { secret } of spec.volumes ?? [])
    if (secret && !own.has(secret.secretName ?? ''))
      return `volume with secret.secretName="${secret.secretName ?? ''}" is not allowed because ${by} does not reference that secret`;
  const fault =
    containerFault('init container', spec.initContainers, account) ??
    containerFault('container', spec.containers, account);
  if (fault) return fault;
  const pull = new Set(account.imagePullSecrets?.map(({ name }) => name));
  const index = (spec.imagePullSecrets ?? []).findIndex(({ name }) => !pull.has(name));
  return index < 0
    ? undefined
    : `imagePullSecrets[${index}].name="${spec.imagePullSecrets?.[index].name ?? ''}" is not allowed because ${by} does not reference that imagePullSecret`;
}

const secretsOf = ({ secrets }: ServiceAccount) => new Set(secrets?.map(({ name }) => name ?? ''));

export function containerFault(
  containerType: string,
  containers: readonly (Container | EphemeralContainer)[] | undefined,
  account: ServiceAccount,
): string | undefined {
  const own = secretsOf(account);
  const refused = (how: string, secret: string) =>
    `${how} referencing secret.secretName="${secret}" is not allowed because service account ${account.metadata.name} does not reference that secret`;
  for (const { name, env, envFrom } of containers ?? []) {
    for (const { name: variable, valueFrom } of env ?? []) {
      const secret = valueFrom?.secretKeyRef;
      if (secret && !own.has(secret.name ?? ''))
        return refused(`${containerType} ${name} with envVar ${variable}`, secret.name ?? '');
    }
    for (const { secretRef } of envFrom ?? [])
      if (secretRef && !own.has(secretRef.name ?? ''))
        return refused(`${containerType} ${name} with envFrom`, secretRef.name ?? '');
  }
  return undefined;
}
