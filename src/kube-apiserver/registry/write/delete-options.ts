// DeleteOptions are in the body, in query parameters, or absent.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/delete-options/

import {
  badRequest,
  DecodeError,
  decode,
  notAnObject,
  type DeleteOptions as Options,
  schemaNamed,
} from '../../../api/api.ts';
import { isFields } from '../../../machinery/parsed.ts';
import type { Body } from '../../request/body.ts';
import { int64Of, isTrue } from '../../request/query.ts';
import { looseBody } from '../codec.ts';
import { dryRunFaults, invalidOptions } from './write-options.ts';

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly orphanDependents?: boolean;
  readonly propagationPolicy?: string;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun: boolean;
}

export async function deleteOptions(content: Body | undefined, query: URLSearchParams): Promise<DeleteOptions> {
  const body = (await looseBody(content)) ?? {};
  if (!isFields(body)) throw badRequest(`couldn't get version/kind; json parse error: ${notAnObject(body)}`);
  const given = Object.keys(body).length ? shaped(body) : fromQuery(query);
  const kind = given.kind || 'DeleteOptions';
  if (kind !== 'DeleteOptions') throw otherKind(kind, given.apiVersion);
  const faults = [...dryRunFaults(given.dryRun ?? []), ...policyFaults(given)];
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

const scheme = 'k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27';
/** Kinds that Kubernetes' scheme for options also has. */
const optionKinds = new Set(['Status', 'CreateOptions', 'GetOptions', 'ListOptions', 'PatchOptions', 'UpdateOptions']);

function otherKind(kind: string, apiVersion = '') {
  if (optionKinds.has(kind) && (!apiVersion || apiVersion === 'v1'))
    return badRequest(`converting (v1.${kind}) to (v1.DeleteOptions): unknown conversion`);
  const version = JSON.stringify(apiVersion || 'meta.k8s.io/v1');
  return badRequest(`no kind ${JSON.stringify(kind)} is registered for version ${version} in scheme "${scheme}"`);
}

/** As decoded: numbers may have 64 bits. */
type Given = Partial<Omit<Options, 'gracePeriodSeconds'>> & { readonly gracePeriodSeconds?: number | bigint };

/** The body with its types checked. */
function shaped(body: unknown): Given {
  try {
    return decode(schemaNamed('io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions'), body).object as Given;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw badRequest(error.message);
  }
}

function fromQuery(query: URLSearchParams): Given {
  const gracePeriodSeconds = int64Of(query, 'gracePeriodSeconds');
  const orphan = query.get('orphanDependents');
  const policy = query.get('propagationPolicy');
  const dryRun = query.getAll('dryRun');
  return {
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    ...(orphan !== null && { orphanDependents: isTrue(orphan) }),
    ...(policy && { propagationPolicy: policy }),
    ...(dryRun.length && { dryRun }),
  };
}

function policyFaults({ propagationPolicy: policy, orphanDependents }: Given) {
  if (policy === undefined || policy === null) return [];
  const field = 'propagationPolicy';
  if (typeof orphanDependents === 'boolean') {
    const message = `Invalid value: ${JSON.stringify(policy)}: orphanDependents and deletionPropagation cannot be both set`;
    return [{ reason: 'FieldValueInvalid', field, message }];
  }
  if (['Orphan', 'Background', 'Foreground'].includes(policy)) return [];
  const message = `Unsupported value: ${JSON.stringify(policy)}: supported values: "Foreground", "Background", "Orphan", "nil"`;
  return [{ reason: 'FieldValueNotSupported', field, message }];
}
