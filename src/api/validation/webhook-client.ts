// Where a webhook is: the rules for its URL, as Go reads URLs, and for its Service.

import { dns1123SubdomainFaults, portNumberFaults } from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import { invalidValue, required } from '../fields.ts';

interface Client {
  readonly url?: string;
  readonly service?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly path?: string;
    readonly port?: number;
  };
}

export function validateWebhookClient({ url, service }: Client, path: string): FieldError[] {
  if ((url === undefined) === (service === undefined))
    return [required(path, 'exactly one of url or service is required')];
  if (service) return validateService(service, `${path}.service`);
  return validateUrl(url ?? '', `${path}.url`);
}

const form = '; desired format: https://host[/path]';

function validateUrl(text: string, path: string): FieldError[] {
  const url = readUrl(text);
  if (typeof url === 'string')
    return [required(path, `url must be a valid URL: parse ${JSON.stringify(text)}: ${url}${form}`)];
  const errors: FieldError[] = [];
  if (url.scheme !== 'https')
    errors.push(invalidValue(path, url.scheme, `'https' is the only allowed URL scheme${form}`));
  if (!url.host) errors.push(invalidValue(path, url.host, `host must be specified${form}`));
  if (url.user !== undefined) errors.push(invalidValue(path, url.user, 'user information is not permitted in the URL'));
  if (url.fragment) errors.push(invalidValue(path, url.fragment, 'fragments are not permitted in the URL'));
  if (url.query) errors.push(invalidValue(path, url.query, 'query parameters are not permitted in the URL'));
  return errors;
}

interface Url {
  readonly scheme: string;
  readonly host: string;
  readonly user?: string;
  readonly fragment: string;
  readonly query: string;
}

/** The parts of a URL, or Go's error. */
function readUrl(text: string): Url | string {
  const hash = text.indexOf('#');
  const [whole, fragment] = hash < 0 ? [text, ''] : [text.slice(0, hash), text.slice(hash + 1)];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Go rejects control characters
  if (/[\u0000-\u001f\u007f]/.test(whole)) return 'net/url: invalid control character in URL';
  if (whole.startsWith(':')) return 'missing protocol scheme';
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(whole)?.[1] ?? '';
  const rest = scheme ? whole.slice(scheme.length + 1) : whole;
  const mark = rest.indexOf('?');
  const [place, query] = mark < 0 ? [rest, ''] : [rest.slice(0, mark), rest.slice(mark + 1)];
  const parts = { scheme: scheme.toLowerCase(), fragment, query };
  if (!place.startsWith('/') && scheme) return { ...parts, host: '' };
  if (!place.startsWith('/') && place.split('/')[0].includes(':'))
    return 'first path segment in URL cannot contain colon';
  if (!place.startsWith('//') || (!scheme && place.startsWith('///')))
    return escapeFault(place) ?? { ...parts, host: '' };
  const slash = place.indexOf('/', 2);
  const authority = slash < 0 ? place.slice(2) : place.slice(2, slash);
  const at = authority.lastIndexOf('@');
  const host = authority.slice(at + 1);
  const fault = hostFault(host) ?? escapeFault(slash < 0 ? '' : place.slice(slash));
  return fault ?? { ...parts, host, ...(at >= 0 && { user: authority.slice(0, at) }) };
}

function escapeFault(path: string): string | undefined {
  const wrong = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(path)?.[0];
  return wrong === undefined ? undefined : `invalid URL escape ${JSON.stringify(wrong)}`;
}

function hostFault(host: string): string | undefined {
  if (host.startsWith('[') && !host.includes(']')) return "missing ']' in host";
  const colon = host.startsWith('[') ? host.indexOf(']') + 1 : host.lastIndexOf(':');
  const port = colon < 0 ? '' : host.slice(colon);
  if (port && !/^:\d*$/.test(port)) return `invalid port ${JSON.stringify(port)} after host`;
  const wrong = /[ "<>\\^`{|}]/.exec(host)?.[0];
  return wrong === undefined ? undefined : `invalid character ${JSON.stringify(wrong)} in host name`;
}

/** Kubernetes swaps name and namespace here, so the path of one reports the other. */
function validateService(service: NonNullable<Client['service']>, path: string): FieldError[] {
  const { name, namespace, port = 0 } = service;
  const faults = portNumberFaults(port);
  return [
    ...(namespace ? [] : [required(`${path}.name`)]),
    ...(name ? [] : [required(`${path}.namespace`)]),
    ...(faults.length ? [invalidValue(`${path}.port`, port, `port is not valid: ${faults.join(', ')}`)] : []),
    ...pathFaults(service.path ?? '').map((why) => invalidValue(`${path}.path`, service.path, why)),
  ];
}

function pathFaults(path: string): string[] {
  if (path === '' || path === '/') return [];
  if (path === '//') return ['segment[0] may not be empty'];
  const faults = path.startsWith('/') ? [] : ["must start with a '/'"];
  const steps = path.slice(1).replace(/\/$/, '').split('/');
  return [
    ...faults,
    ...steps.flatMap((step, index) =>
      step
        ? dns1123SubdomainFaults(step).map((why) => `segment[${index}]: ${why}`)
        : [`segment[${index}] may not be empty`],
    ),
  ];
}
