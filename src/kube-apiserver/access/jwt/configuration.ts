// Which issuers of JSON Web Tokens are trusted, and how a token's claims become a user.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-authentication-configuration

import { X509Certificate } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { duplicate, type FieldError, forbiddenField, invalidValue, required, tooMany } from '../../../api/api.ts';
import type { Shape } from '../../../machinery/fields/configuration-shape.ts';
import { AccessConfigurationError, readConfiguration, refuseFaults } from '../configuration-file.ts';
import { ClaimPrograms, compileClaims, compileUser } from './expressions.ts';
import type { AuthenticationConfiguration, ClaimOrExpression, JwtIssuer } from './types.ts';

const claimShape: Shape = { claim: 'string', prefix: 'string', expression: 'string' };
const shape: Shape = {
  jwt: [
    {
      issuer: {
        url: 'string',
        discoveryURL: 'string',
        certificateAuthority: 'string',
        audiences: 'list of strings',
        audienceMatchPolicy: 'string',
        egressSelectorType: 'string',
      },
      claimValidationRules: [{ claim: 'string', requiredValue: 'string', expression: 'string', message: 'string' }],
      claimMappings: {
        username: claimShape,
        groups: claimShape,
        uid: { claim: 'string', expression: 'string' },
        extra: [{ key: 'string', valueExpression: 'string' }],
      },
      userValidationRules: [{ expression: 'string', message: 'string' }],
    },
  ],
  anonymous: { enabled: 'boolean', conditions: [{ path: 'string' }] },
};

const mostIssuers = 64;

/**
 * `ownIssuer` signs service account tokens, so no other entry may use it. `initial` is that of the start: anonymous access must
 * stay the same. Throws AccessConfigurationError.
 */
export function parseAuthenticationConfiguration(
  text: string,
  ownIssuer: string,
  initial?: AuthenticationConfiguration,
): AuthenticationConfiguration {
  const versions = ['v1', 'v1beta1', 'v1alpha1'];
  const given = readConfiguration<AuthenticationConfiguration>(text, 'AuthenticationConfiguration', versions, shape);
  const isChanged = initial && !isDeepStrictEqual(given.anonymous, initial.anonymous);
  refuseFaults([
    ...configurationFaults(given, ownIssuer),
    ...(isChanged ? [forbiddenField('anonymous', 'changed from initial configuration file')] : []),
  ]);
  const egress = given.jwt?.find(({ issuer }) => issuer.egressSelectorType);
  if (egress)
    throw new AccessConfigurationError(
      `issuer ${egress.issuer.url}: egressSelectorType is not supported: there is no egress selector`,
    );
  return given;
}

function configurationFaults({ jwt = [], anonymous }: AuthenticationConfiguration, ownIssuer: string): FieldError[] {
  if (jwt.length > mostIssuers) return [tooMany('jwt', jwt.length, mostIssuers)];
  const urls = new Seen();
  const discoveries = new Seen();
  const faults = jwt.flatMap((entry, index) => {
    const path = `jwt[${index}]`;
    const { url = '', discoveryURL = '' } = entry.issuer ?? {};
    return [
      ...issuerFaults(entry.issuer ?? {}, `${path}.issuer`, ownIssuer),
      ...claimRuleFaults(entry, `${path}.claimValidationRules`),
      ...mappingFaults(entry, `${path}.claimMappings`),
      ...userRuleFaults(entry, `${path}.userValidationRules`),
      ...urls.faults(url, `${path}.issuer.url`),
      ...(discoveryURL ? discoveries.faults(discoveryURL, `${path}.issuer.discoveryURL`) : []),
    ];
  });
  if (anonymous && !anonymous.enabled && anonymous.conditions?.length)
    faults.push(
      invalidValue(
        'anonymous.conditions',
        anonymous.conditions,
        'enabled should be set to true when conditions are defined',
      ),
    );
  return faults;
}

class Seen {
  readonly #values = new Set<string>();

  faults(value: string, path: string): FieldError[] {
    if (this.#values.has(value)) return [duplicate(path, value)];
    this.#values.add(value);
    return [];
  }
}

function issuerFaults(issuer: Partial<JwtIssuer['issuer']>, path: string, ownIssuer: string): FieldError[] {
  const { url = '', discoveryURL, certificateAuthority, audiences = [], audienceMatchPolicy = '' } = issuer;
  const faults = url ? urlFaults(url, `${path}.url`, ownIssuer) : [required(`${path}.url`)];
  if (discoveryURL) {
    const plain = (text: string) => text.replace(/\/+$/, '');
    if (url && plain(url) === plain(discoveryURL))
      faults.push(invalidValue(`${path}.discoveryURL`, discoveryURL, 'discoveryURL must be different from URL'));
    faults.push(...urlFaults(discoveryURL, `${path}.discoveryURL`));
  }
  faults.push(...audienceFaults(audiences, audienceMatchPolicy, path));
  if (certificateAuthority && !isCertificate(certificateAuthority))
    faults.push(
      invalidValue(
        `${path}.certificateAuthority`,
        '<omitted>',
        'data does not contain any valid RSA or ECDSA certificates',
      ),
    );
  return faults;
}

function urlFaults(text: string, path: string, refused?: string): FieldError[] {
  const faults: FieldError[] = [];
  if (refused && text === refused)
    faults.push(invalidValue(path, text, `URL must not overlap with disallowed issuers: [${refused}]`));
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return [...faults, invalidValue(path, text, 'URL scheme must be https')];
  }
  if (url.protocol !== 'https:') faults.push(invalidValue(path, text, 'URL scheme must be https'));
  if (url.username || url.password)
    faults.push(invalidValue(path, text, 'URL must not contain a username or password'));
  if (url.search) faults.push(invalidValue(path, text, 'URL must not contain a query'));
  if (url.hash) faults.push(invalidValue(path, text, 'URL must not contain a fragment'));
  return faults;
}

function audienceFaults(audiences: readonly string[], policy: string, path: string): FieldError[] {
  const at = `${path}.audiences`;
  if (!Array.isArray(audiences) || audiences.length === 0) return [required(at, `at least one ${at} is required`)];
  const seen = new Seen();
  const faults = audiences.flatMap((audience, index) => [
    ...(audience ? [] : [required(`${at}[${index}]`)]),
    ...seen.faults(audience, `${at}[${index}]`),
  ]);
  const policyPath = `${path}.audienceMatchPolicy`;
  if (audiences.length > 1 && policy !== 'MatchAny')
    faults.push(invalidValue(policyPath, policy, 'audienceMatchPolicy must be MatchAny for multiple audiences'));
  if (audiences.length === 1 && policy && policy !== 'MatchAny')
    faults.push(invalidValue(policyPath, policy, 'audienceMatchPolicy must be empty or MatchAny for single audience'));
  return faults;
}

function isCertificate(pem: string): boolean {
  try {
    return Boolean(new X509Certificate(pem));
  } catch {
    return false;
  }
}

function claimRuleFaults({ claimValidationRules = [] }: JwtIssuer, path: string): FieldError[] {
  const claims = new Seen();
  const expressions = new Seen();
  return claimValidationRules.flatMap(({ claim = '', requiredValue, expression = '', message }, index) => {
    const at = `${path}[${index}]`;
    if (claim && expression) return [invalidValue(at, claim, "claim and expression can't both be set")];
    if (!claim && !expression) return [required(at, 'claim or expression is required')];
    if (claim)
      return [
        ...(message ? [invalidValue(`${at}.message`, message, 'may not be specified when claim is set')] : []),
        ...claims.faults(claim, `${at}.claim`),
      ];
    const twice = expressions.faults(expression, `${at}.expression`);
    return [
      ...(requiredValue
        ? [invalidValue(`${at}.requiredValue`, requiredValue, 'may not be specified when expression is set')]
        : []),
      ...(twice.length > 0 ? twice : compileClaims(expression, `${at}.expression`, 'bool').faults),
    ];
  });
}

function userRuleFaults({ userValidationRules = [] }: JwtIssuer, path: string): FieldError[] {
  const expressions = new Seen();
  return userValidationRules.flatMap(({ expression = '' }, index) => {
    const at = `${path}[${index}].expression`;
    if (!expression) return [required(at)];
    const twice = expressions.faults(expression, at);
    return twice.length > 0 ? twice : compileUser(expression, at).faults;
  });
}

function mappingFaults(entry: JwtIssuer, path: string): FieldError[] {
  const { username = {}, groups = {}, uid = {}, extra = [] } = entry.claimMappings ?? {};
  const faults = [
    ...prefixedFaults(username, `${path}.username`, true),
    ...prefixedFaults(groups, `${path}.groups`, false),
  ];
  if (uid.claim && uid.expression)
    faults.push(invalidValue(`${path}.uid`, '', "claim and expression can't both be set"));
  else if (uid.expression) faults.push(...compileClaims(uid.expression, `${path}.uid.expression`).faults);
  const keys = new Seen();
  for (const [index, { key = '', valueExpression = '' }] of extra.entries())
    faults.push(...extraFaults(key, valueExpression, `${path}.extra[${index}]`, keys));
  if (faults.length === 0 && new ClaimPrograms(entry).trustsUnverifiedEmail)
    faults.push(
      invalidValue(
        `${path}.username.expression`,
        username.expression,
        'claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression',
      ),
    );
  return faults;
}

function prefixedFaults(
  { claim, prefix, expression }: ClaimOrExpression,
  path: string,
  isRequired: boolean,
): FieldError[] {
  if (claim && expression) return [invalidValue(path, '', "claim and expression can't both be set")];
  if (!claim && !expression) return isRequired ? [required(path, 'claim or expression is required')] : [];
  if (expression)
    return [
      ...(prefix === undefined || prefix === null
        ? []
        : [invalidValue(`${path}.prefix`, prefix, 'may not be specified when expression is set')]),
      ...compileClaims(expression, `${path}.expression`).faults,
    ];
  return prefix === undefined || prefix === null
    ? [
        required(
          `${path}.prefix`,
          'prefix is required when claim is set. It can be set to an empty string to disable prefixing',
        ),
      ]
    : [];
}

function extraFaults(key: string, expression: string, path: string, keys: Seen): FieldError[] {
  const at = `${path}.key`;
  const faults = domainPathFaults(key, at);
  if (key !== key.toLowerCase()) faults.push(invalidValue(at, key, 'must be lowercase'));
  if (/^([^/]+\.)?(kubernetes|k8s)\.io\//.test(key))
    faults.push(invalidValue(at, key, 'k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use'));
  const twice = keys.faults(key, at);
  if (twice.length > 0) return [...faults, ...twice];
  if (!expression) return [...faults, required(`${path}.valueExpression`)];
  return [...faults, ...compileClaims(expression, `${path}.valueExpression`).faults];
}

function domainPathFaults(key: string, path: string): FieldError[] {
  if (!key) return [required(path)];
  const [, domain, rest] = /^([^/]*)\/(.*)$/s.exec(key) ?? [];
  if (!domain || !rest) return [invalidValue(path, key, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  return /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/i.test(domain) &&
    /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(rest)
    ? []
    : [invalidValue(path, key, 'Invalid path')];
}
