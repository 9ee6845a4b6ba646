// An operation as admission sees it.

import type { ApiObject } from '../../api/api.ts';
import type { AdmissionAttributes } from '../admission.ts';
import type { Operation } from './operation.ts';
import type { DeleteOptions } from './write/delete-options.ts';
import type { WriteOptions } from './write/write-options.ts';

export function attributesOf(
  operation: Operation,
  action: 'CREATE' | 'UPDATE',
  object: ApiObject,
  oldObject: ApiObject | undefined,
  { dryRun, given }: WriteOptions,
): AdmissionAttributes {
  const kind = action === 'CREATE' ? 'CreateOptions' : 'UpdateOptions';
  return {
    ...common(operation),
    operation: action,
    // Before a name is generated, messages show its prefix.
    name: operation.name || object.metadata?.name || object.metadata?.generateName || '',
    object,
    oldObject,
    // A patch has the options of a create or an update.
    options: { kind, apiVersion: 'meta.k8s.io/v1', ...given },
    dryRun,
  };
}

export const deletionAttributes = (
  operation: Operation,
  oldObject: ApiObject,
  { dryRun, ...given }: DeleteOptions,
): AdmissionAttributes => ({
  ...common(operation),
  operation: 'DELETE',
  name: operation.name,
  object: undefined,
  oldObject,
  options: { kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1', ...given, ...(dryRun && { dryRun: ['All'] }) },
  dryRun,
});

export const connectionAttributes = (operation: Operation, options: ApiObject): AdmissionAttributes => ({
  ...common(operation),
  operation: 'CONNECT',
  name: operation.name,
  object: options,
  oldObject: undefined,
  options: null,
  dryRun: false,
});

const mostWarnings = 1_000;

const common = ({ server, kind, subresource, namespace, name, verb, user, warnings, audit, waits }: Operation) => ({
  server,
  kind,
  resource: kind.resource,
  subresource,
  namespace: kind.isNamespace ? name : namespace,
  requestName: name,
  isPatch: verb === 'patch',
  user,
  ...(waits && { waits }),
  // Responses show a few.
  warn: (text: string) => void (warnings.length < mostWarnings && warnings.push(text)),
  annotate: (key: string, value: string, onlyWithBody?: boolean) => audit?.annotate(key, value, onlyWithBody),
});
