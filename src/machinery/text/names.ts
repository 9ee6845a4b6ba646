// The rules for names, labels and keys, and Kubernetes' messages for violations.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/

/** Each check returns the faults of `value`, none when it is fine. */
type Check = (value: string) => string[];

const label1123 = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain1123 = `${label1123}(\\.${label1123})*`;
const qualifiedPart = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';

const tooLong = (max: number) => `must be no more than ${max} bytes`;
/** DNS names are ASCII, and counted in characters. */
const tooManyCharacters = (max: number) => `must be no more than ${max} characters`;
/** Kubernetes' punctuation, two spaces included. */
const regexFault = (message: string, pattern: string, ...examples: string[]) =>
  `${message} (${examples.length ? 'e.g. ' : ''}${examples.map((e) => `'${e}', `).join(' or ')}regex used for validation is '${pattern}')`;

const matcher = (pattern: string) => {
  const regex = new RegExp(`^(?:${pattern})$`);
  return (value: string) => regex.test(value);
};
const encoder = new TextEncoder();
/** Most texts are ASCII, which is seen faster than it is encoded. */
function bytes(value: string): number {
  for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) > 0x7f) return encoder.encode(value).length;
  return value.length;
}

const isLabel1123 = matcher(label1123);
const isSubdomain1123 = matcher(subdomain1123);

export const dns1123LabelFaults: Check = (value) => [
  ...(value.length > 63 ? [tooManyCharacters(63)] : []),
  ...(isLabel1123(value)
    ? []
    : isSubdomain1123(value)
      ? ['must not contain dots']
      : [
          regexFault(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
            label1123,
            'my-name',
            '123-abc',
          ),
        ]),
];

export const dns1123SubdomainFaults: Check = (value) => [
  ...(value.length > 253 ? [tooManyCharacters(253)] : []),
  ...(isSubdomain1123(value)
    ? []
    : [
        regexFault(
          "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
          subdomain1123,
          'example.com',
        ),
      ]),
];

/** The same, as a declared rule (`k8s-long-name`) words it. */
export const longNameFaults: Check = (value) =>
  dns1123SubdomainFaults(value).map((fault) => (fault === tooManyCharacters(253) ? tooLong(253) : fault));

const underscoreLabel1123 = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const underscoreSubdomain1123 = `${underscoreLabel1123}(\\.${underscoreLabel1123})*`;
const isUnderscoreSubdomain1123 = matcher(underscoreSubdomain1123);
/** Search domains of resolvers, which may have underscores. */
export const underscoreSubdomainFaults: Check = (value) => [
  ...(value.length > 253 ? [tooManyCharacters(253)] : []),
  ...(isUnderscoreSubdomain1123(value)
    ? []
    : [
        regexFault(
          "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
          underscoreSubdomain1123,
          'example.com',
        ),
      ]),
];

const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const isLabel1035 = matcher(label1035);
export const dns1035LabelFaults: Check = (value) => [
  ...(value.length > 63 ? [tooManyCharacters(63)] : []),
  ...(isLabel1035(value)
    ? []
    : [
        regexFault(
          "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
          label1035,
          'my-name',
          'abc-123',
        ),
      ]),
];

const wildcardSubdomain = `\\*\\.${subdomain1123}`;
const isWildcardSubdomain = matcher(wildcardSubdomain);
export const wildcardDns1123SubdomainFaults: Check = (value) => [
  ...(value.length > 253 ? [tooManyCharacters(253)] : []),
  ...(isWildcardSubdomain(value)
    ? []
    : [
        regexFault(
          "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
          wildcardSubdomain,
          '*.example.com',
        ),
      ]),
];

const isQualifiedPart = matcher(qualifiedPart);
const qualifiedFault =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

/** Label and annotation keys, resource names: `[dns.subdomain/]Name`. */
export const qualifiedNameFaults: Check = (value) => {
  const parts = value.split('/');
  const faults: string[] = [];
  if (parts.length > 2)
    return [
      `a valid label key ${regexFault(qualifiedFault, qualifiedPart, 'MyName', 'my.name', '123-abc')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  const name = parts[parts.length - 1];
  if (parts.length === 2) {
    if (parts[0] === '') faults.push('prefix part must be non-empty');
    else faults.push(...dns1123SubdomainFaults(parts[0]).map((fault) => `prefix part ${fault}`));
  }
  if (name === '') faults.push('name part must be non-empty');
  else if (name.length > 63) faults.push(`name part ${tooLong(63)}`);
  if (!isQualifiedPart(name))
    faults.push(`name part ${regexFault(qualifiedFault, qualifiedPart, 'MyName', 'my.name', '123-abc')}`);
  return faults;
};

const labelValue = `(${qualifiedPart})?`;
const isLabelValue = matcher(labelValue);
export const labelValueFaults: Check = (value) => [
  ...(value.length > 63 ? [tooLong(63)] : []),
  ...(isLabelValue(value)
    ? []
    : [
        regexFault(
          "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
          labelValue,
          'MyValue',
          'my_value',
          '12345',
        ),
      ]),
];

const configMapKey = '[-._a-zA-Z0-9]+';
const isConfigMapKey = matcher(configMapKey);
export const configMapKeyFaults: Check = (value) => [
  ...(value.length > 253 ? [tooManyCharacters(253)] : []),
  ...(isConfigMapKey(value)
    ? []
    : [
        regexFault(
          "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
          configMapKey,
          'key.name',
          'KEY_NAME',
          'key-name',
        ),
      ]),
  ...(value === '.' || value === '..' || value.startsWith('..') ? [dotFault(value)] : []),
];
const dotFault = (value: string) =>
  value === '.' ? "must not be '.'" : value === '..' ? "must not be '..'" : "must not start with '..'";

/** Since 1.34 any printable ASCII but '='. */
const envVarName = '[ -<>-~]+';
const isEnvVarName = matcher(envVarName);
const cIdentifier = '[A-Za-z_][A-Za-z0-9_]*';
const isCIdentifier = matcher(cIdentifier);
export const cIdentifierFaults: Check = (value) =>
  isCIdentifier(value)
    ? []
    : [
        regexFault(
          "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
          cIdentifier,
          'my_name',
          'MY_NAME',
          'MyName',
        ),
      ];

export const envVarNameFaults: Check = (value) =>
  isEnvVarName(value)
    ? []
    : value === ''
      ? ['environment variable name must be non-empty']
      : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];

/** Names of ports: IANA_SVC_NAME of RFC 6335. */
export const portNameFaults: Check = (value) => {
  const faults: string[] = [];
  if (value.length > 15) faults.push('must be no more than 15 characters');
  if (!/^[-a-z0-9]+$/.test(value))
    faults.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(value)) faults.push('must contain at least one letter (a-z)');
  if (value.includes('--')) faults.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) faults.push('must not begin or end with a hyphen');
  return faults;
};

export const portNumberFaults = (value: number): string[] =>
  Number.isInteger(value) && value >= 1 && value <= 65535 ? [] : ['must be between 1 and 65535, inclusive'];

/** A name that becomes one segment of a path: RBAC roles and their like. */
export const pathSegmentFaults: Check = (value) => {
  if (value === '.' || value === '..') return [`may not be '${value}'`];
  return ['/', '%'].filter((part) => value.includes(part)).map((part) => `may not contain '${part}'`);
};

const httpPath = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
const isHttpPath = matcher(httpPath);
/** `example.com/path`, as in appProtocol's neighbours: trackers, managers, finalizers of quota. */
export const domainPrefixedPathFaults: Check = (value) => {
  const slash = value.indexOf('/');
  if (slash < 0 || value.slice(0, slash) === '' || value.slice(slash + 1) === '')
    return ['must be a domain-prefixed path (such as "acme.io/foo")'];
  const faults = dns1123SubdomainFaults(value.slice(0, slash));
  if (!isHttpPath(value.slice(slash + 1))) faults.push(regexFault('Invalid path', httpPath));
  return faults;
};

/** Length in bytes of UTF-8, which limits count. */
export const byteLength = bytes;
