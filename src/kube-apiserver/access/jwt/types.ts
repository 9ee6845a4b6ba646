/** As in AuthenticationConfiguration of apiserver.config.k8s.io/v1. */
export interface AuthenticationConfiguration {
  readonly jwt?: readonly JwtIssuer[];
  readonly anonymous?: { readonly enabled?: boolean; readonly conditions?: readonly { readonly path: string }[] };
}

export interface JwtIssuer {
  readonly issuer: {
    readonly url: string;
    readonly discoveryURL?: string;
    /** PEM; default: the machine's authorities. */
    readonly certificateAuthority?: string;
    readonly audiences: readonly string[];
    readonly audienceMatchPolicy?: string;
    readonly egressSelectorType?: string;
  };
  readonly claimValidationRules?: readonly ValidationRule[];
  readonly claimMappings: {
    readonly username: ClaimOrExpression;
    readonly groups?: ClaimOrExpression;
    readonly uid?: ClaimOrExpression;
    readonly extra?: readonly { readonly key: string; readonly valueExpression: string }[];
  };
  readonly userValidationRules?: readonly ValidationRule[];
  /** Of tokens; default: all. From --oidc-signing-algs, and not in the file. */
  readonly signatures?: readonly string[];
}

export interface ClaimOrExpression {
  readonly claim?: string;
  readonly prefix?: string;
  readonly expression?: string;
}

interface ValidationRule {
  readonly claim?: string;
  readonly requiredValue?: string;
  readonly expression?: string;
  readonly message?: string;
}
