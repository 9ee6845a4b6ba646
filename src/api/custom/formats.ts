// String formats for the validation of custom resources; other formats are ignored.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation

import { parseIp } from '../../machinery/ip.ts';

type Check = (text: string) => boolean;

const matches =
  (pattern: RegExp): Check =>
  (text) =>
    pattern.test(text);

const uuid = (version: string, variant = '[0-9a-f]') =>
  matches(new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?${variant}[0-9a-f]{3}-?[0-9a-f]{12}$`, 'i'));

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';

/** By their names without dashes: date-time and datetime are the same. */
const checks: Readonly<Record<string, Check>> = {
  bsonobjectid: matches(/^[0-9a-f]{24}$/i),
  uri: isRequestUri,
  email: isEmail,
  hostname: isHostname,
  ipv4: (text) => text.includes('.') && parsesAsIp(text),
  ipv6: (text) => text.includes(':') && parsesAsIp(text),
  cidr: isCidr,
  mac: isMac,
  uuid: uuid('[0-9a-f]'),
  uuid3: uuid('3'),
  uuid4: uuid('4', '[89ab]'),
  uuid5: uuid('5', '[89ab]'),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: isCreditCard,
  ssn: matches(/^\d{3}[- ]\d{2}[- ]\d{4}$/),
  hexcolor: matches(/^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/),
  rgbcolor: matches(/^rgb\((\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*(,(?!\))|(?=\)))){3}\)$/),
  byte: matches(/^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/),
  password: () => true,
  date: isDate,
  duration: isDuration,
  datetime: isDateTime,
  k8sshortname: (text) => text.length <= 63 && new RegExp(`^${label}$`).test(text),
  k8slongname: (text) => text.length <= 253 && new RegExp(`^${label}(\\.${label})*$`).test(text),
};

const normalized = (format: string) => format.replaceAll('-', '');

/** True for strings of every unknown format. */
export const hasFormat = (format: string, text: string): boolean => checks[normalized(format)]?.(text) ?? true;

/** Whether a format applies to values of this type. */
export function isSupportedFormat(type: string | undefined, format: string): boolean {
  if (!type || type === 'string') return normalized(format) in checks;
  if (type === 'integer') return format === 'int32' || format === 'int64';
  return type === 'number' && (format === 'float' || format === 'double');
}

/** Leading zeros in numbers of IPv4 are tolerated, as they always were. */
function parsesAsIp(text: string): boolean {
  return parseIp(text.replace(/(^|[.:])0+(?=\d+(\.|$))/g, '$1')) !== undefined;
}

function isCidr(text: string): boolean {
  const [address, length, ...more] = text.split('/');
  if (length === undefined || more.length || !/^\d+$/.test(length)) return false;
  const isV6 = address.includes(':');
  return parsesAsIp(address) && Number(length) <= (isV6 ? 128 : 32);
}

/** Six, eight or twenty bytes; with colons, dashes, or dots after each second byte. */
function isMac(text: string): boolean {
  return [6, 8, 20].some((bytes) => {
    const pair = '[0-9a-f]{2}';
    const colons = `${pair}(:${pair}){${bytes - 1}}`;
    const dots = `[0-9a-f]{4}(\\.[0-9a-f]{4}){${bytes / 2 - 1}}`;
    return new RegExp(`^(${colons}|${colons.replaceAll(':', '-')}|${dots})$`, 'i').test(text);
  });
}

function isHostname(text: string): boolean {
  if (new TextEncoder().encode(text).length > 255) return false;
  const pattern =
    /^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$/u;
  const labels = text.split('.');
  return labels.length <= 128 && labels.every((part) => part.length <= 63) && pattern.test(text);
}

/** An address as in a mail's header: alone, or in angle brackets behind a name. */
function isEmail(text: string): boolean {
  const inner = /^[^<>]*<([^<>]+)>\s*$/.exec(text)?.[1] ?? text.trim();
  const at = inner.lastIndexOf('@');
  const atom = /^[\w!#$%&'*+/=?^`{|}~\u0080-\uffff-]+(\.[\w!#$%&'*+/=?^`{|}~\u0080-\uffff-]+)*$/;
  const local = inner.slice(0, at);
  return (
    at > 0 &&
    (atom.test(local) || /^"([^"\\]|\\.)*"$/.test(local)) &&
    /^(\[.+\]|[^\s@,<>()[\]]+)$/.test(inner.slice(at + 1))
  );
}

/** An absolute URI or an absolute path, as Go's url.ParseRequestURI reads it. */
export function isRequestUri(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the check rejects control characters.
  if (!text || /[\u0000-\u001f\u007f]/.test(text) || /%(?![0-9a-f]{2})/i.test(text.split('?')[0])) return false;
  if (text === '*' || text.startsWith('/')) return true;
  const match = /^[a-z][a-z0-9+.-]*:(.*)$/is.exec(text);
  if (!match) return false;
  const authority = /^\/\/([^/?#]*)/.exec(match[1])?.[1];
  if (authority === undefined) return true;
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  return !/[ <>"\\^`{|}]/.test(host) && /^(\[[^\]]*\]|[^:[\]]*)(:\d*)?$/.test(host);
}

function isDate(text: string): boolean {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  if (!match) return false;
  const date = new Date(0);
  const [year, month, day] = match.slice(1).map(Number);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

function isDateTime(text: string): boolean {
  const [date, time] = text.toLowerCase().split('t');
  if (time === undefined || !isDate(date)) return false;
  const match = /^(\d{2}):(\d{2}):(\d{2})(.\d+)?(z|([+-]\d{2}:\d{2}))$/.exec(time);
  return !!match && match[1] <= '23' && match[2] <= '59' && match[3] <= '59';
}

const units = [
  ['ns', 'nano'],
  ['us', 'µs', 'micro'],
  ['ms', 'milli'],
  ['s', 'sec'],
  ['m', 'min'],
].concat([
  ['h', 'hr', 'hour'],
  ['d', 'day'],
  ['w', 'wk', 'week'],
]);

/** Go's durations (1h30m), and also those of Scala: 1d, 3 weeks. */
function isDuration(text: string): boolean {
  if (/^[-+]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)$/.test(text)) return true;
  for (const [, count, unit] of text.matchAll(/(\d+)\s*([A-Za-zµ]+)/g)) {
    if (count.length > 18) return false;
    const word = unit.toLowerCase();
    if (units.some((names) => names.includes(word) || word.startsWith(names.at(-1) as string))) return true;
  }
  return false;
}

const withoutGaps = (text: string) => text.replace(/[\s-]+/g, '');

function isIsbn10(text: string): boolean {
  const digits = withoutGaps(text);
  if (!/^(\d{9}X|\d{10})$/.test(digits)) return false;
  const sum = [...digits].reduce((all, digit, i) => all + (i + 1) * (digit === 'X' ? 10 : Number(digit)), 0);
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = withoutGaps(text);
  if (!/^\d{13}$/.test(digits)) return false;
  return [...digits].reduce((all, digit, i) => all + Number(digit) * (i % 2 ? 3 : 1), 0) % 10 === 0;
}

function isCreditCard(text: string): boolean {
  const digits = text.replace(/\D+/g, '');
  const networks =
    /^(4\d{12}(\d{3})?|5[1-5]\d{14}|6(011|5\d\d)\d{12}|3[47]\d{13}|3(0[0-5]|[68]\d)\d{11}|(2131|1800|35\d{3})\d{11})$/;
  if (!networks.test(digits)) return false;
  const sum = [...digits].reverse().reduce((all, digit, i) => {
    const value = Number(digit) * (i % 2 ? 2 : 1);
    return all + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}
