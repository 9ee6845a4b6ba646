// Rules for CertificateSigningRequests and updates of their status.
// https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/

import { parseCertificateRequest } from '../../machinery/certificates/certificate-request.ts';
import { childrenOf, readOne } from '../../machinery/certificates/der.ts';
import { decodePemAll } from '../../machinery/certificates/pem.ts';
import { dns1123LabelFaults, dns1123SubdomainFaults } from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import { duplicate, forbiddenField, invalidValue, notSupported, required, sameValue, tooLong } from '../fields.ts';
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '../generated/types.ts';

const usages = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];

const legacySigner = 'kubernetes.io/legacy-unknown';

/** `signatureFault`: why the request's signature is not that of its key. */
export function validateRequestSpec(
  { spec }: CertificateSigningRequest,
  signatureFault: string | undefined,
): FieldError[] {
  const errors: FieldError[] = [];
  const fault = requestFault(spec.request) ?? signatureFault;
  if (fault) errors.push(invalidValue('spec.request', spec.request ?? null, fault));
  if (!spec.usages?.length) errors.push(required('spec.usages'));
  const seen = new Set<string>();
  const doubled: FieldError[] = [];
  for (const [index, usage] of (spec.usages ?? []).entries()) {
    const path = `spec.usages[${index}]`;
    if (!usages.includes(usage)) errors.push(notSupported(path, usage, usages));
    if (seen.has(usage)) doubled.push(duplicate(path, usage));
    seen.add(usage);
  }
  errors.push(...doubled);
  const signer = 'spec.signerName';
  if (spec.signerName === legacySigner)
    errors.push(invalidValue(signer, spec.signerName, 'the legacy signerName is not allowed via this API version'));
  else errors.push(...validateSignerName(signer, spec.signerName));
  const { expirationSeconds: seconds } = spec;
  if (seconds !== undefined && seconds !== null && seconds < 600)
    errors.push(
      invalidValue('spec.expirationSeconds', seconds, 'may not specify a duration less than 600 seconds (10 minutes)'),
    );
  return errors;
}

/** The text of a base64 field, '' if it is invalid. */
export function decoded(base64: string | undefined | null): string {
  try {
    return base64 ? atob(base64) : '';
  } catch {
    return '';
  }
}

function requestFault(request: string | undefined): string | undefined {
  try {
    parseCertificateRequest(decoded(request));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** `example.com/signer-name`: a domain of two labels or more, and a name. */
function validateSignerName(path: string, name: string | undefined): FieldError[] {
  if (!name) return [required(path)];
  const segments = name.split('/');
  if (segments.length !== 2)
    return [
      invalidValue(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'"),
    ];
  const [domain, last] = segments;
  const errors: FieldError[] = [];
  if (domain.length > 253) errors.push(tooLong(path, 253));
  const labels = domain.split('.');
  errors.push(...firstFaults(path, domain, labels, dns1123LabelFaults));
  if (labels.length < 2)
    errors.push(invalidValue(path, domain, 'should be a domain with at least two segments separated by dots'));
  errors.push(...firstFaults(path, last, last.split('.'), dns1123SubdomainFaults));
  const most = 571; // two subdomains of 253, a namespace of 63, and two separators
  if (name.length > most) errors.push(tooLong(path, most));
  return errors;
}

/** Faults of the first label that has any. */
function firstFaults(
  path: string,
  value: string,
  labels: readonly string[],
  faultsOf: (label: string) => string[],
): FieldError[] {
  for (const label of labels) {
    const faults = faultsOf(label);
    if (faults.length)
      return faults.map((fault) => invalidValue(path, value, `validating label ${JSON.stringify(label)}: ${fault}`));
  }
  return [];
}

/** Fields that an update may write beside metadata. */
interface RequestRights {
  readonly approval?: boolean;
  readonly certificate?: boolean;
}

const onlyTrue = ['Approved', 'Denied', 'Failed'];
const conditionsPath = 'status.conditions';

export function validateRequestUpdate(
  next: CertificateSigningRequest,
  old: CertificateSigningRequest,
  may: RequestRights,
): FieldError[] {
  return [
    ...validateConditions(next, old),
    ...validateCertificate(next, old),
    ...conditionChanges(next, old, may.approval ?? false),
    ...certificateChanges(next, old, may.certificate ?? false),
  ];
}

const conditionsOf = (r: CertificateSigningRequest, type?: string): CertificateSigningRequestCondition[] =>
  (r.status?.conditions ?? []).filter((condition) => type === undefined || condition.type === type);

/** Faults that the old object has already are tolerated. */
function validateConditions(next: CertificateSigningRequest, old: CertificateSigningRequest): FieldError[] {
  const errors: FieldError[] = [];
  const before = conditionsOf(old).map(({ type }) => type);
  const tolerated = {
    both: before.includes('Approved') && before.includes('Denied'),
    empty: before.includes(''),
    twice: new Set(before).size < before.length,
  };
  const seen = new Set<string>();
  for (const [index, { type = '', status }] of conditionsOf(next).entries()) {
    const path = `${conditionsPath}[${index}]`;
    if (!type && !tolerated.empty) errors.push(required(`${path}.type`));
    const allowed = onlyTrue.includes(type) ? ['True'] : ['False', 'True', 'Unknown'];
    if (!status) errors.push(required(`${path}.status`));
    else if (!allowed.includes(status)) errors.push(notSupported(`${path}.status`, status, allowed));
    const opposite = type === 'Approved' ? 'Denied' : type === 'Denied' ? 'Approved' : undefined;
    if (opposite && seen.has(opposite) && !tolerated.both)
      errors.push(invalidValue(conditionsPath, type, 'Approved and Denied conditions are mutually exclusive'));
    if (seen.has(type) && !tolerated.twice) errors.push(duplicate(`${path}.type`, type));
    seen.add(type);
  }
  return errors;
}

function validateCertificate(next: CertificateSigningRequest, old: CertificateSigningRequest): FieldError[] {
  const { certificate } = next.status ?? {};
  if (!certificate || certificate === old.status?.certificate || certificateFault(old.status?.certificate)) return [];
  const fault = certificateFault(certificate);
  return fault ? [invalidValue('status.certificate', '<certificate data>', fault)] : [];
}

function certificateFault(base64: string | undefined): string | undefined {
  if (!base64) return undefined;
  let blocks = 0;
  for (const { type, headers, bytes } of decodePemAll(decoded(base64))) {
    if (type !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
    if (Object.keys(headers).length) return 'no PEM block headers are permitted';
    blocks++;
    if (!bytes.length) return 'found CERTIFICATE PEM block containing 0 certificates';
    try {
      if (childrenOf(childrenOf(readOne(bytes))[0]).length < 6) return 'x509: malformed tbs certificate';
    } catch {
      return 'x509: malformed certificate';
    }
  }
  return blocks ? undefined : 'must contain at least one CERTIFICATE PEM block';
}

function conditionChanges(
  next: CertificateSigningRequest,
  old: CertificateSigningRequest,
  mayApprove: boolean,
): FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (verb: string, type: string) =>
    errors.push(forbiddenField(conditionsPath, `updates may not ${verb} a condition of type ${JSON.stringify(type)}`));
  for (const type of onlyTrue)
    if (conditionsOf(next, type).length < conditionsOf(old, type).length) refuse('remove', type);
  if (mayApprove) return errors;
  for (const type of ['Approved', 'Denied']) {
    const [now, before] = [conditionsOf(next, type), conditionsOf(old, type)];
    if (now.length > before.length) refuse('add', type);
    else if (now.length === before.length && !sameValue(now, before)) refuse('modify', type);
  }
  return errors;
}

function certificateChanges(
  next: CertificateSigningRequest,
  old: CertificateSigningRequest,
  maySet: boolean,
): FieldError[] {
  const [now, before] = [next.status?.certificate ?? '', old.status?.certificate ?? ''];
  if (now === before) return [];
  const path = 'status.certificate';
  if (!maySet) return [forbiddenField(path, 'updates may not set certificate content')];
  return before ? [forbiddenField(path, 'updates may not modify existing certificate content')] : [];
}
