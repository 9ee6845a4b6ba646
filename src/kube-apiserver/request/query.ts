// Query parameters as Kubernetes reads them.

import { badRequest } from '../../api/api.ts';

/** A query parameter of type int64; undefined where it is not given. Throws a 400. */
export function int64Of(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const fault = int64Fault(text);
  if (fault) throw badRequest(fault);
  return Number(text);
}

/** Why a text is no int64, in the words of Go's ParseInt; undefined for one that is. */
export function int64Fault(text: string): string | undefined {
  const shown = `strconv.ParseInt: parsing ${JSON.stringify(text)}`;
  if (!/^[-+]?\d+$/.test(text)) return `${shown}: invalid syntax`;
  const digits = text.replace(/^[-+]?0*/, '');
  const most = text[0] === '-' ? '9223372036854775808' : '9223372036854775807';
  const fits = digits.length < most.length || (digits.length === most.length && digits <= most);
  return fits ? undefined : `${shown}: value out of range`;
}

/** True for values that a query parameter of type bool takes as true. */
export const isTrue = (value: string | null): boolean =>
  value !== null && value.toLowerCase() !== 'false' && value !== '0';
