// Names with a domain prefix; faults name the invalid part.

import { dns1123LabelFaults, dns1123SubdomainFaults } from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import { invalidValue, required } from '../fields.ts';

const httpPath = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/;
const pathFault = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";

/** Such as `acme.io/foo`. */
export function domainPrefixedPath(value: string, path: string): FieldError[] {
  if (!value) return [required(path)];
  const slash = value.indexOf('/');
  const [host, rest] = [value.slice(0, slash), value.slice(slash + 1)];
  if (slash <= 0 || !rest) return [invalidValue(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  const errors = dns1123SubdomainFaults(host).map((fault) => invalidValue(path, host, fault));
  if (!httpPath.test(rest)) errors.push(invalidValue(path, rest, pathFault));
  return errors;
}

/** A domain of at least two parts. */
export function fullyQualifiedName(path: string, value: string | undefined): FieldError[] {
  if (!value) return [required(path)];
  const name = value.replace(/\.$/, '');
  const faults = dns1123SubdomainFaults(name);
  if (faults.length) return [invalidValue(path, name, faults.join(','))];
  const labels = name.split('.');
  if (labels.length < 2)
    return [invalidValue(path, name, 'should be a domain with at least two segments separated by dots')];
  const wrong = labels.find((label) => dns1123LabelFaults(label).length);
  return wrong === undefined ? [] : [invalidValue(path, wrong, dns1123LabelFaults(wrong).join(','))];
}
