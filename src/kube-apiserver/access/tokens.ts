// The signer of service account tokens, as the API server uses it.

export interface TokenClaims {
  readonly namespace: string;
  readonly serviceAccount: { readonly name: string; readonly uid: string };
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  /** The token is good for a year, and clients are warned after `expirationSeconds`. */
  readonly extended?: boolean;
  readonly bound?: { readonly kind: string; readonly name: string; readonly uid: string };
  /** Of the pod that the token is bound to. */
  readonly node?: { readonly name: string; readonly uid?: string };
}

/** A token that stands in a secret. */
export interface SecretTokenClaims {
  readonly namespace: string;
  readonly secret: string;
  readonly serviceAccount: { readonly name: string; readonly uid: string };
}

export interface TokenIssuer {
  /** Audiences of a token requested without any. */
  readonly audiences: readonly string[];
  /** A request for a longer life gets this one. */
  readonly longestSeconds: number;
  /** Whether the tokens of pods live for a year, for clients that never read them again. */
  readonly extendsTokens: boolean;
  /** A token that is good as long as the secret that has it. */
  issueForSecret(claims: SecretTokenClaims): Promise<string>;
  issue(claims: TokenClaims): Promise<{ token: string; expirationTimestamp: string }>;
  /** https://openid.net/specs/openid-connect-discovery-1_0.html */
  openidConfiguration(): object;
  jwks(): object;
}
