import { isSupportedFormat } from '../../custom/formats.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue } from '../../fields.ts';
import type { CustomResourceDefinition } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { formatTime } from '../../time.ts';
import { validateApproval } from '../../validation/crd/approval.ts';
import { validateDefinition, validateDefinitionUpdate } from '../../validation/crd/definition.ts';
import { isSchema, type Part } from '../../validation/crd/structural.ts';

/** Delays the deletion of a definition until its objects are gone. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

export const customResourceDefinition: KindBehaviour<CustomResourceDefinition> = {
  storagePrefix: 'apiextensions.k8s.io/customresourcedefinitions',
  storedAs: 'apiextensions.k8s.io/v1beta1/CustomResourceDefinition',
  hasGeneration: true,
  emptyFields: 'validated',
  strategy: {
    allowUnconditionalUpdate: false,
    plainFinalizers: true,
    isDeletedPlainly: true,
    setDefaults(crd) {
      const { spec } = crd;
      const stored = (spec?.versions ?? []).find(({ storage }) => storage)?.name;
      if (crd.status && !crd.status.storedVersions?.length && stored) crd.status.storedVersions = [stored];
      if (!spec?.names) return;
      spec.scope ??= '';
      // Names that are not given follow from the kind.
      spec.names.singular ||= spec.names.kind?.toLowerCase();
      if (spec.names.kind) spec.names.listKind ||= `${spec.names.kind}List`;
      spec.conversion ??= { strategy: 'None' };
      const { webhook } = spec.conversion;
      if (webhook && !webhook.clientConfig && !webhook.conversionReviewVersions) delete spec.conversion.webhook;
      if (spec.conversion.webhook?.clientConfig?.service) spec.conversion.webhook.clientConfig.service.port ??= 443;
    },
    prepareForCreate(crd) {
      const stored = (crd.spec.versions ?? []).filter(({ storage }) => storage).map(({ name }) => name);
      crd.status = {
        conditions: [],
        acceptedNames: { plural: '', kind: '' },
        storedVersions: stored.length ? [stored[0]] : undefined,
      };
    },
    prepareForUpdate(next) {
      const storage = (next.spec.versions ?? []).find((version) => version.storage)?.name;
      const stored = next.status?.storedVersions ?? [];
      if (storage && next.status && !stored.includes(storage))
        next.status = { ...next.status, storedVersions: [...stored, storage] };
    },
    announceDeletion,
    validate: (crd) => [...validateName(crd), ...validateDefinition(crd), ...validateApproval(crd)],
    warnings: formatWarnings,
    validateUpdate: (next, old) => [
      ...validateDefinition(next, old),
      ...validateDefinitionUpdate(next, old),
      ...validateApproval(next, old),
    ],
  },
};

function announceDeletion(live: CustomResourceDefinition, now: number) {
  if (live.metadata.deletionTimestamp || live.metadata.finalizers?.includes(cleanupFinalizer)) return undefined;
  const condition = {
    type: 'Terminating',
    status: 'True',
    lastTransitionTime: formatTime(now),
    reason: 'InstanceDeletionPending',
    message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
  };
  return (crd: CustomResourceDefinition) => {
    crd.metadata.finalizers = [...(crd.metadata.finalizers ?? []), cleanupFinalizer];
    const others = (crd.status?.conditions ?? []).filter(({ type }) => type !== condition.type);
    crd.status = { ...crd.status, conditions: [...others, condition] } as CustomResourceDefinition['status'];
  };
}

/** Kubernetes holds generateName to the same rule: it can only be the name itself. */
function validateName({ metadata, spec }: CustomResourceDefinition): FieldError[] {
  const wanted = `${spec.names.plural}.${spec.group}`;
  return (['generateName', 'name'] as const).flatMap((field) => {
    const value = metadata[field];
    if (!value || value === wanted) return [];
    return [invalidValue(`metadata.${field}`, value, 'must be spec.names.plural+"."+spec.group')];
  });
}

/** Formats without effect, because they are unknown for this type. */
function formatWarnings(next: CustomResourceDefinition, old: CustomResourceDefinition | undefined): string[] {
  const before = new Set(old ? unknownFormats(old) : []);
  return unknownFormats(next)
    .filter((format) => !before.has(format))
    .map((format) => `unrecognized format ${JSON.stringify(format)}`);
}

const unknownFormats = ({ spec }: CustomResourceDefinition): string[] =>
  (spec.versions ?? []).flatMap(({ schema }) => formatsBelow(schema?.openAPIV3Schema));

function formatsBelow(schema: Part): string[] {
  if (!isSchema(schema)) return [];
  const {
    type,
    format,
    items,
    properties = {},
    additionalProperties,
    not,
    allOf = [],
    anyOf = [],
    oneOf = [],
  } = schema;
  const own = format && !isSupportedFormat(type, format) ? [format] : [];
  const parts = [items, ...allOf, ...anyOf, ...oneOf, not, ...Object.values(properties), additionalProperties];
  return [...own, ...parts.flatMap(formatsBelow)];
}
