// DeleteOptions are in the body, in query parameters, or absent.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/delete-options/

import { badRequest, DecodeError, decode, type DeleteOptions as Options, schemaNamed } from '../../../api/api.ts';
import type { Body } from '../../request/body.ts';
import { int64Of, isTrue } from '../../request/query.ts';
import { looseBody } from '../codec.ts';
import { invalidOptions } from './write-options.ts';

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly orphanDependents?: boolean;
  readonly propagationPolicy?: string;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun: boolean;
}

export async function deleteOptions(content: Body | undefined, query: URLSearchParams): Promise<DeleteOptions> {
  const body = (await looseBody(content)) ?? {};
  const given = Object.keys(body).length ? shaped(body) : fromQuery(query);
  const kind = given.kind || 'DeleteOptions';
  if (kind !== 'DeleteOptions')
    throw badRequest(
      `no kind "${kind}" is registered for version "${given.apiVersion || 'v1'}" in scheme "pkg/api/legacyscheme/scheme.go:30"`,
    );
  const faults = [...dryRunFaults(given.dryRun), ...policyFaults(given)];
  if (faults.length) throw invalidOptions('DeleteOptions', faults);
  // A negative grace period counts as one second, for kinds that have one.
  const grace = given.gracePeriodSeconds;
  return {
    ...((typeof grace === 'number' || typeof grace === 'bigint') && {
      gracePeriodSeconds: grace < 0 ? 1 : (grace as number),
    }),
    ...(typeof given.orphanDependents === 'boolean' && { orphanDependents: given.orphanDependents }),
    ...(given.propagationPolicy && { propagationPolicy: given.propagationPolicy }),
    ...(given.preconditions && { preconditions: given.preconditions }),
    dryRun: !!given.dryRun?.length,
  };
}

/** As decoded: numbers may have 64 bits. */
type Given = Partial<Omit<Options, 'gracePeriodSeconds'>> & { readonly gracePeriodSeconds?: number | bigint };

/** The body with its types checked. */
function shaped(body: unknown): Given {
  try {
    return decode(schemaNamed('io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions'), body).object as Given;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw badRequest(`DeleteOptions in version "v1" cannot be handled as a DeleteOptions: ${error.message}`);
  }
}

function fromQuery(query: URLSearchParams): Given {
  const gracePeriodSeconds = int64Of(query, 'gracePeriodSeconds');
  const orphan = query.get('orphanDependents');
  const policy = query.get('propagationPolicy');
  const dryRun = query.getAll('dryRun').filter(Boolean);
  return {
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    ...(orphan !== null && { orphanDependents: isTrue(orphan) }),
    ...(policy && { propagationPolicy: policy }),
    ...(dryRun.length && { dryRun }),
  };
}

function dryRunFaults(dryRun: readonly string[] | undefined) {
  const wrong = dryRun?.find((value) => value !== 'All');
  if (wrong === undefined) return [];
  const message = `Unsupported value: ${JSON.stringify(wrong)}: supported values: "All"`;
  return [{ reason: 'FieldValueNotSupported', field: 'dryRun', message }];
}

function policyFaults({ propagationPolicy: policy, orphanDependents }: Given) {
  if (policy === undefined || policy === null) return [];
  const field = 'propagationPolicy';
  if (typeof orphanDependents === 'boolean') {
    const message = `Invalid value: ${JSON.stringify(policy)}: orphanDependents and deletionPropagation cannot be both set`;
    return [{ reason: 'FieldValueInvalid', field, message }];
  }
  if (['Orphan', 'Background', 'Foreground'].includes(policy)) return [];
  const message = `Unsupported value: ${JSON.stringify(policy)}: supported values: "Background", "Foreground", "Orphan", "nil"`;
  return [{ reason: 'FieldValueNotSupported', field, message }];
}
