// API groups of the Kubernetes community: their definitions must have an approval annotation, or declare that they have
// no approval.
// https://github.com/kubernetes/enhancements/pull/1111

import { isRequestUri } from '../../custom/formats.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, required } from '../../fields.ts';
import type { CustomResourceDefinition } from '../../generated/types.ts';

const annotation = 'api-approved.kubernetes.io';

interface Approval {
  readonly state: 'Invalid' | 'Missing' | 'Approved' | 'Unapproved';
  readonly reason: string;
}

/** Undefined for groups without approval. */
export function approvalOf({ metadata, spec }: CustomResourceDefinition): Approval | undefined {
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(spec.group ?? '')) return undefined;
  const value = metadata?.annotations?.[annotation] ?? '';
  const see = 'see https://github.com/kubernetes/enhancements/pull/1111';
  const needs = `protected groups must have approval annotation "${annotation}"`;
  if (!value) return { state: 'Missing', reason: `${needs}, ${see}` };
  if (value.startsWith('unapproved')) return { state: 'Unapproved', reason: `not approved: ${JSON.stringify(value)}` };
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/]/i.test(value) && isRequestUri(value))
    return { state: 'Approved', reason: `approved in ${value}` };
  return {
    state: 'Invalid',
    reason: `${needs} with either a URL or a reason starting with "unapproved", ${see}`,
  };
}

/** A state that was there before may stay. */
export function validateApproval(crd: CustomResourceDefinition, old?: CustomResourceDefinition): FieldError[] {
  const approval = approvalOf(crd);
  if (!approval || (old && approvalOf(old)?.state === approval.state)) return [];
  const field = `metadata.annotations[${annotation}]`;
  if (approval.state === 'Missing') return [required(field, approval.reason)];
  if (approval.state === 'Invalid')
    return [invalidValue(field, crd.metadata?.annotations?.[annotation], approval.reason)];
  return [];
}
