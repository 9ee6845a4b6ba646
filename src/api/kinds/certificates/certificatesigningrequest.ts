import {
  type CertificateRequest,
  parseCertificateRequest,
} from '../../../machinery/certificates/certificate-request.ts';
import { must } from '../../../machinery/must.ts';
import { pathSegmentFaults } from '../../../machinery/text/names.ts';
import { humanDuration } from '../../../machinery/time/duration.ts';
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '../../generated/types.ts';
import type { KindBehaviour, StrategyContext } from '../../kind.ts';
import { formatTime } from '../../time.ts';
import { decoded, validateRequestSpec, validateRequestUpdate } from '../../validation/certificate-signing-request.ts';
import { nameRule } from '../../validation/metadata.ts';
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
    nameRule: nameRule(pathSegmentFaults),
    metadataOnUpdate: ['whole', 'change'],
    setDefaults(r) {
      r.spec ??= { request: '', signerName: '' };
    },
    prepareForCreate(r, context) {
      // The requestor is the authenticated user, regardless of the object.
      const { name, uid, groups, extra } = context.user as UserOf;
      Object.assign(r.spec, {
        username: name,
        uid: uid || undefined,
        groups: groups?.length ? [...groups] : undefined,
        extra: extra && Object.keys(extra).length ? extra : undefined,
      });
      const fault = signatureFault(r, context);
      if (fault) signatureFaults.set(r, fault);
    },
    prepareForUpdate(next, old) {
      next.spec = old.spec;
    },
    validate: (r) => validateRequestSpec(r, signatureFaults.get(r)),
    subresources: {
      approval: {
        resetFields: [['spec'], ['status', 'certificate']],
        prepareForUpdate(next, old, { now }) {
          const conditions = timed(next, old, now);
          next.spec = old.spec;
          next.status = { ...old.status, ...(conditions && { conditions }) };
        },
        validateUpdate: (next, old) => validateRequestUpdate(next, old, { approval: true }),
      },
      status: {
        resetFields: [['status', 'conditions']],
        prepareForUpdate(next, old, { now }) {
          keepConditions(next, old, 'Approved');
          keepConditions(next, old, 'Denied');
          const conditions = timed(next, old, now);
          if (conditions) next.status = { ...next.status, conditions };
        },
        validateUpdate: (next, old) => validateRequestUpdate(next, old, { certificate: true }),
      },
    },
  },
};

interface UserOf {
  readonly name: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** Signatures are verified asynchronously; validation reports the result. */
const signatureFaults = new WeakMap<object, string>();

function signatureFault(r: CertificateSigningRequest, { verifyRequest }: StrategyContext): string | undefined {
  let request: CertificateRequest;
  try {
    request = parseCertificateRequest(decoded(r.spec?.request));
  } catch {
    return undefined; // validation reports it
  }
  return verifyRequest?.(request);
}

const conditionsOf = (r: CertificateSigningRequest): CertificateSigningRequestCondition[] => [
  ...(r.status?.conditions ?? []),
];

/** Keeps conditions of this type, unless some were added or removed, which validation rejects. */
function keepConditions(next: CertificateSigningRequest, old: CertificateSigningRequest, type: string): void {
  const kept = conditionsOf(old).filter((condition) => condition.type === type);
  const conditions = conditionsOf(next);
  if (!kept.length || conditions.filter((condition) => condition.type === type).length !== kept.length) return;
  next.status = {
    ...next.status,
    conditions: conditions.map((condition) => (condition.type === type ? must(kept.shift(), 'condition') : condition)),
  };
}

/** The conditions with their times: those that are missing are now, or when the condition became so. */
function timed(
  next: CertificateSigningRequest,
  old: CertificateSigningRequest,
  nowMs: number,
): CertificateSigningRequestCondition[] | undefined {
  const now = formatTime(nowMs);
  return next.status?.conditions?.map((condition) => {
    const before = conditionsOf(old).find(({ type, status }) => type === condition.type && status === condition.status);
    return {
      ...condition,
      lastUpdateTime: condition.lastUpdateTime || now,
      lastTransitionTime: condition.lastTransitionTime || before?.lastTransitionTime || now,
    };
  });
}
