// Fills secrets that ask for a token of a service account, and deletes those whose account is gone.
// https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets

import { ignoreNotFound, isConflict, isNotFound, type Secret, type ServiceAccount } from '../api/api.ts';
import { type Client, type Controller, keyOf } from '../client/client.ts';

const type = 'kubernetes.io/service-account-token';
const nameAnnotation = 'kubernetes.io/service-account.name';
const uidAnnotation = 'kubernetes.io/service-account.uid';

/** Signs a token that is good as long as its secret. */
export type SecretTokenSigner = (claims: {
  readonly namespace: string;
  readonly secret: string;
  readonly serviceAccount: { readonly name: string; readonly uid: string };
}) => Promise<string>;

const accountOf = ({ metadata }: Secret): string => metadata.annotations?.[nameAnnotation] ?? '';
const isToken = (secret: Secret): boolean => secret.type === type && accountOf(secret) !== '';

/** `rootCa` is a PEM text. */
export const serviceaccountToken = (sign: SecretTokenSigner, rootCa: string | undefined): Controller => ({
  name: 'serviceaccount-token',
  watches: [
    { resource: 'secrets', keys: (secret: Secret) => (isToken(secret) ? [keyOf(secret)] : []) },
    {
      resource: 'serviceaccounts',
      *keys({ metadata }: ServiceAccount, { lister }) {
        for (const secret of lister('secrets').list(metadata.namespace))
          if (isToken(secret) && accountOf(secret) === metadata.name) yield keyOf(secret);
      },
    },
  ],
  async reconcile(key, { lister, client }) {
    const secret = lister('secrets').get(key);
    if (!secret || !isToken(secret) || secret.metadata.deletionTimestamp) return;
    const { namespace = '', annotations } = secret.metadata;
    const account = await liveAccount(client, namespace, accountOf(secret));
    const uid = annotations?.[uidAnnotation];
    if (!account || (uid && uid !== account.metadata.uid)) return remove(client, secret);
    await fill(client, secret, account, { sign, rootCa });
  },
});

/** From the API: a cache that is behind must not delete a token. */
const liveAccount = (client: Client, namespace: string, name: string): Promise<ServiceAccount | undefined> =>
  client.get('serviceaccounts', { namespace, name }).catch(ignoreNotFound);

async function remove(client: Client, { metadata }: Secret): Promise<void> {
  const { namespace, name = '', uid } = metadata;
  await client.delete('secrets', { namespace, name }, { preconditions: { uid } }).catch((error: unknown) => {
    // Another secret of the name belongs to another account.
    if (!isNotFound(error) && !isConflict(error)) throw error;
  });
}

const encoded = (text: string): string => Buffer.from(text).toString('base64');

async function fill(
  client: Client,
  secret: Secret,
  { metadata: account }: ServiceAccount,
  { sign, rootCa }: { readonly sign: SecretTokenSigner; readonly rootCa: string | undefined },
): Promise<void> {
  const { namespace = '', name = '' } = secret.metadata;
  const data = { ...secret.data };
  if (rootCa && data['ca.crt'] !== encoded(rootCa)) data['ca.crt'] = encoded(rootCa);
  data.namespace ||= encoded(namespace);
  if (!data.token) {
    const serviceAccount = { name: account.name ?? '', uid: account.uid ?? '' };
    data.token = encoded(await sign({ namespace, secret: name, serviceAccount }));
  }
  const isSame = Object.entries(data).every(([field, value]) => secret.data?.[field] === value);
  if (isSame) return;
  const annotations = {
    ...secret.metadata.annotations,
    [nameAnnotation]: account.name ?? '',
    [uidAnnotation]: account.uid ?? '',
  };
  await client
    .update('secrets', { ...secret, metadata: { ...secret.metadata, annotations }, data })
    .catch((error: unknown) => {
      // The change that came between brings this key again.
      if (!isNotFound(error) && !isConflict(error)) throw error;
    });
}
