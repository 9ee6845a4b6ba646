// Deletes bootstrap tokens that have expired.
// https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/

import { ignoreNotFound } from '../../api/api.ts';
import { type Controller, keyOf } from '../../client/client.ts';
import { isTokenSecret } from './bootstrapsigner.ts';

export const tokenCleaner: Controller = {
  name: 'tokencleaner',
  component: 'token-cleaner',
  watches: [{ resource: 'secrets', keys: (secret) => (isTokenSecret(secret) ? [keyOf(secret)] : []) }],
  async reconcile(key, { lister, client, clock }) {
    const secret = lister('secrets').get(key);
    const expiration = secret?.data?.['expiration'];
    if (!secret || typeof expiration !== 'string') return;
    // A time that cannot be read has passed.
    const restMs = (Date.parse(atob(expiration)) || 0) - clock.now();
    if (restMs > 0) return { after: restMs };
    const { name, namespace = '', uid } = secret.metadata;
    await client.delete('secrets', { name, namespace }, { preconditions: { uid } }).catch(ignoreNotFound);
  },
};
