// Tokens of pods' service accounts: requested by the kubelet, cached, and renewed before they expire.
// https://kubernetes.io/docs/concepts/security/service-accounts/#get-a-token

import type { Pod, TokenRequest } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { must } from '../../machinery/must.ts';
import type { Clock } from '../../machinery/time/clock.ts';

/** A token is renewed when this share of its life is over, and at the latest after a day. */
const renewAt = 0.8;
const longestAgeMs = 24 * 3_600_000;

export interface PodToken {
  readonly token: string;
  /** RFC 3339. */
  readonly expirationTimestamp: string;
}

export class TokenCache {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, PodToken & { renewMs: number; expiresMs: number }>();

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Without `expirationSeconds` the API server chooses. */
  async get(pod: Pod, audience: string | undefined, expirationSeconds: number | undefined): Promise<PodToken> {
    const { name, namespace = '', uid } = pod.metadata;
    const account = pod.spec.serviceAccountName ?? 'default';
    const key = [uid, account, audience, expirationSeconds].join('\0');
    const cached = this.#tokens.get(key);
    const now = this.#clock.now();
    if (cached && now < cached.renewMs) return cached;
    for (const [other, token] of this.#tokens) if (token.expiresMs < now) this.#tokens.delete(other);
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: audience ? [audience] : [],
        ...(expirationSeconds !== undefined && { expirationSeconds }),
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    };
    const { status } = await this.#client.createSubresource<TokenRequest>(
      'serviceaccounts',
      { name: account, namespace },
      'token',
      body,
    );
    const { token, expirationTimestamp } = must(status, 'status');
    const expiresMs = Date.parse(must(expirationTimestamp, 'expirationTimestamp'));
    const renewMs = now + Math.min((expiresMs - now) * renewAt, longestAgeMs);
    const fresh = { token, expirationTimestamp: String(expirationTimestamp), renewMs, expiresMs };
    this.#tokens.set(key, fresh);
    return fresh;
  }
}
