import { humanDuration } from '../../../machinery/duration.ts';
import { domainPrefixedPathFaults } from '../../../machinery/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, oneOf, required } from '../../fields.ts';
import type { CertificateSigningRequest } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { none } from '../cells.ts';

export const certificateSigningRequest: KindBehaviour<CertificateSigningRequest> = {
  cells: {
    SignerName: (r) => r.spec.signerName || none,
    Requestor: (r) => r.spec.username ?? '',
    RequestedDuration: (r) => (r.spec.expirationSeconds ? humanDuration(r.spec.expirationSeconds * 1000) : none),
    Condition: (r) => {
      const types = (r.status?.conditions ?? []).map(({ type }) => type);
      const parts = types.includes('Denied') ? ['Denied'] : types.includes('Approved') ? ['Approved'] : ['Pending'];
      if (types.includes('Failed')) parts.push('Failed');
      if (r.status?.certificate) parts.push('Issued');
      return parts.join(',');
    },
  },
  selectableFields: { 'spec.signerName': (r) => r.spec.signerName },
  strategy: {
    setDefaults(r) {
      r.spec ??= { request: '', signerName: '' } as any;
      if (!r.spec.usages) r.spec.usages = ['digital signature', 'key encipherment'];
    },
    prepareForCreate(r, { user }) {
      // Whoever asks is who asks, whatever the request says.
      const { name, uid, groups, extra } = user as { name: string; uid?: string; groups?: string[]; extra?: any };
      Object.assign(r.spec, {
        username: name,
        uid: uid || undefined,
        groups: groups?.length ? [...groups] : undefined,
        extra,
      });
      if (extra && !Object.keys(extra).length) delete r.spec.extra;
    },
    prepareForUpdate(next, old) {
      next.spec = old.spec;
    },
    validate: (r) => [...validateRequest(r), ...validateSigner(r.spec.signerName)],
    subresources: {
      approval: {
        prepareForUpdate(next, old) {
          const conditions = next.status?.conditions;
          next.spec = old.spec;
          next.status = { ...old.status, ...(conditions && { conditions }) };
        },
      },
    },
  },
};

function validateRequest(r: CertificateSigningRequest): FieldError[] {
  const { request, usages, expirationSeconds } = r.spec;
  const errors: FieldError[] = [];
  const text = request ? atob(request) : '';
  if (!/-----BEGIN CERTIFICATE REQUEST-----[\s\S]+-----END CERTIFICATE REQUEST-----/.test(text))
    errors.push(invalidValue('spec.request', request || null, 'PEM block type must be CERTIFICATE REQUEST'));
  else if (isTruncated(text)) errors.push(invalidValue('spec.request', request, 'asn1: syntax error: data truncated'));
  if (!usages?.length) errors.push(required('spec.usages'));
  if (expirationSeconds !== undefined && expirationSeconds < 600)
    errors.push(
      invalidValue(
        'spec.expirationSeconds',
        expirationSeconds,
        'may not specify a duration less than 600 seconds (10 minutes)',
      ),
    );
  return errors;
}

/** Whether the outer sequence promises more bytes than there are. */
function isTruncated(pem: string): boolean {
  const der = atob(pem.replace(/-----[^-]+-----/g, '').replace(/\s/g, ''));
  const first = der.charCodeAt(1);
  const size = first < 0x80 ? 0 : first & 0x7f;
  let length = size ? 0 : first;
  for (let i = 0; i < size; i++) length = length * 256 + der.charCodeAt(2 + i);
  return der.length < 2 + size + length;
}

function validateSigner(name: string): FieldError[] {
  const path = 'spec.signerName';
  if (!name) return [required(path)];
  if (name === 'kubernetes.io/legacy-unknown')
    return [invalidValue(path, name, 'the legacy signerName is not allowed via this API version')];
  if (domainPrefixedPathFaults(name).length || !name.split('/')[0].includes('.'))
    return [
      invalidValue(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'"),
    ];
  return oneOf(path, name, [name]);
}
