import { invalidValue } from '../../fields.ts';
import type { CustomResourceDefinition } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validateDefinition } from '../../validation/crd/definition.ts';

export const customResourceDefinition: KindBehaviour<CustomResourceDefinition> = {
  hasGeneration: true,
  strategy: {
    setDefaults(crd) {
      const { spec } = crd;
      if (!spec?.names) return;
      spec.scope ??= '' as never;
      // Names that are not given follow from the kind.
      spec.names.singular ||= spec.names.kind?.toLowerCase();
      if (spec.names.kind) spec.names.listKind ||= `${spec.names.kind}List`;
      spec.conversion ??= { strategy: 'None' as never };
      if (spec.conversion.webhook?.clientConfig?.service) spec.conversion.webhook.clientConfig.service.port ??= 443;
    },
    prepareForCreate(crd) {
      const stored = (crd.spec.versions ?? []).filter(({ storage }) => storage).map(({ name }) => name);
      crd.status = {
        conditions: null as never,
        acceptedNames: { plural: '', kind: '' },
        storedVersions: (stored.length ? [stored[0]] : null) as never,
      };
    },
    prepareForUpdate(next) {
      const storage = (next.spec.versions ?? []).find((version) => version.storage)?.name;
      const stored = next.status?.storedVersions ?? [];
      if (storage && next.status && !stored.includes(storage))
        next.status = { ...next.status, storedVersions: [...stored, storage] };
    },
    validate: validateDefinition,
    warnings: ({ spec }) =>
      spec.conversion?.strategy === 'Webhook' && (spec.versions ?? []).length > 1
        ? ['spec.conversion.strategy: conversion webhooks are not called: objects keep their fields in every version']
        : [],
    validateCreate: ({ metadata: { name }, spec }) =>
      name === `${spec.names.plural}.${spec.group}`
        ? []
        : [invalidValue('metadata.name', name, 'must be spec.names.plural+"."+spec.group')],
    validateUpdate(next, old) {
      const established = old.status?.conditions?.some(
        ({ type, status }) => type === 'Established' && status === 'True',
      );
      if (!established) return [];
      return [
        ...(next.spec.scope === old.spec.scope ? [] : [immutable('spec.scope', next.spec.scope)]),
        ...(next.spec.names.kind === old.spec.names.kind ? [] : [immutable('spec.names.kind', next.spec.names.kind)]),
        ...(next.spec.group === old.spec.group ? [] : [immutable('spec.group', next.spec.group)]),
        ...(next.spec.names.plural === old.spec.names.plural
          ? []
          : [immutable('spec.names.plural', next.spec.names.plural)]),
      ];
    },
  },
};

const immutable = (field: string, value: string) => ({
  type: 'FieldValueInvalid' as const,
  field,
  message: `Invalid value: ${JSON.stringify(value)}: field is immutable`,
});
