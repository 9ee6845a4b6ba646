// Named formats, and how Kubernetes' types compare. https://pkg.go.dev/k8s.io/apiserver/pkg/cel/library#Format

import {
  dns1035LabelFaults,
  dns1123LabelFaults,
  dns1123SubdomainFaults,
  labelValueFaults,
  qualifiedNameFaults,
} from '../../text/names.ts';
import { type CostRange, fixed, regexFactor, scale, sizeEstimate, stringFactor, union } from '../cost/cost-range.ts';
import { type FunctionDeclaration, global, type Library, member } from '../declarations.ts';
import { listType, optionalType, sameType, stringType, type Type } from '../types.ts';
import { ArrayList, CelObject, none, Optional, sizeOf, type Value } from '../values.ts';
import { formatType, nominal } from './kubernetes.ts';
import { FormatValue } from './objects.ts';
import { parseRequestUrl } from './url-parse.ts';

type Check = (text: string) => string[];

/** The beginning of a name: something may follow a trailing dash. */
const prefix =
  (check: Check): Check =>
  (text) =>
    check(text.length > 1 && text.endsWith('-') ? `${text.slice(0, -1)}a` : text);

const matching =
  (pattern: RegExp, fault: string): Check =>
  (text) =>
    pattern.test(text) ? [] : [fault];

const datePattern = /^\d{4}-(\d\d)-(\d\d)$/;
function isDate(text: string): boolean {
  const found = datePattern.exec(text);
  const date = found && new Date(`${text}T00:00:00Z`);
  return !!date && !Number.isNaN(date.getTime()) && date.getUTCDate() === Number(found[2]);
}

function isDateTime(text: string): boolean {
  const [date = '', ...rest] = text.toLowerCase().split('t');
  const time = /^(\d\d):(\d\d):(\d\d)(.\d+)?(z|[+-]\d\d:\d\d)$/.exec(rest[0] ?? '');
  return isDate(date) && !!time && Number(time[1]) < 24 && Number(time[2]) < 60 && Number(time[3]) < 60;
}

const uuid = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/;
const dateTimePatternSize = 81;

/** Name in expressions, printed name, size of the pattern with the same cost, check. */
const formats: readonly (readonly [string, string, number, Check])[] = [
  ['dns1123Label', 'DNS1123Label', 30, dns1123LabelFaults],
  ['dns1123Subdomain', 'DNS1123Subdomain', 60, dns1123SubdomainFaults],
  ['dns1035Label', 'DNS1035Label', 30, dns1035LabelFaults],
  ['qualifiedName', 'QualifiedName', 60, qualifiedNameFaults],
  ['dns1123LabelPrefix', 'DNS1123LabelPrefix', 30, prefix(dns1123LabelFaults)],
  ['dns1123SubdomainPrefix', 'DNS1123SubdomainPrefix', 60, prefix(dns1123SubdomainFaults)],
  ['dns1035LabelPrefix', 'DNS1035LabelPrefix', 30, prefix(dns1035LabelFaults)],
  ['labelValue', 'LabelValue', 40, labelValueFaults],
  [
    'uri',
    'URI',
    1103,
    (text) => {
      const url = parseRequestUrl(text);
      return typeof url === 'string' ? [url] : [];
    },
  ],
  ['uuid', 'uuid', 73, matching(uuid, 'does not match the UUID format')],
  ['byte', 'byte', 84, matching(base64, 'invalid base64')],
  ['date', 'date', dateTimePatternSize, (text) => (isDate(text) ? [] : ['invalid date'])],
  ['datetime', 'datetime', dateTimePatternSize, (text) => (isDateTime(text) ? [] : ['invalid datetime'])],
];

const values = new Map(formats.map(([name, shown, size, check]) => [name, new FormatValue(shown, size, check)]));

function validate(format: FormatValue, text: string): Optional {
  const faults = format.validate(text);
  return faults.length ? new Optional(new ArrayList(faults)) : none;
}

/** Formats count as patterns of this size until the actual one is evaluated. */
const largestPattern = 128;

export const formatFunctions: Library = {
  functions: [
    ...[...values].map(([name, value]) => ({
      name: `format.${name}`,
      overloads: [global(`format.${name}`, [], formatType, () => value)],
    })),
    {
      name: 'format.named',
      overloads: [
        global('format-named', [stringType], optionalType(formatType), (name: string) => {
          const found = values.get(name);
          return found ? new Optional(found) : none;
        }),
      ],
      ...nominal,
    },
    {
      name: 'validate',
      overloads: [member('format-validate', [formatType, stringType], optionalType(listType(stringType)), validate)],
      cost: ([format, text]) =>
        Math.ceil((1 + (sizeOf(text as Value) ?? 1)) * stringFactor) *
        Math.ceil((format instanceof FormatValue ? format.patternSize : 1) * regexFactor),
      estimate: ({ args }, estimator) =>
        args[0] && {
          cost: scale(scale(sizeEstimate(args[0], estimator), stringFactor), largestPattern * regexFactor),
        },
    },
  ],
};

const cheapTypes = new Set([
  'net.IP',
  'net.CIDR',
  'kubernetes.Quantity',
  'kubernetes.Semver',
  ...['Authorizer', 'PathCheck', 'GroupCheck', 'ResourceCheck', 'Decision'].map(
    (name) => `kubernetes.authorization.${name}`,
  ),
]);
const largestFormatName = 64;

/** The cost of comparing two values of a Kubernetes type; undefined for other types. */
function equalityEstimate(
  type: Type,
  left: CostRange | undefined,
  right: CostRange | undefined,
): CostRange | undefined {
  if (cheapTypes.has(type.name)) return fixed(1);
  if (type.name === 'kubernetes.NamedFormat') return scale({ min: 1, max: largestFormatName }, stringFactor);
  if (type.name !== 'kubernetes.URL') return undefined;
  const size = left && right ? union(left, right) : fixed(1);
  return scale({ min: 1, max: size.max }, stringFactor);
}

const equality: FunctionDeclaration = {
  name: '_==_',
  overloads: [],
  cost: ([left]) => (left instanceof CelObject ? 1 : undefined),
  estimate: ({ args: [left, right] }) => {
    if (!left || !right || !sameType(left.type, right.type)) return undefined;
    const cost = equalityEstimate(left.type, right.size, right.size);
    return cost && { cost };
  },
};

export const kubernetesEquality: Library = { functions: [equality] };
