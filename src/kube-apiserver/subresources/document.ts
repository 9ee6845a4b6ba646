import { type Kind, schemaOfKind } from '../../api/api.ts';
import type { AdmissionAttributes } from '../admission.ts';

/** The kind of a subresource's document, which is never stored: only its shape matters. */
export const documentKind = (group: string, version: string, kind: string): Kind =>
  ({
    group,
    version,
    kind,
    resource: `${kind.toLowerCase()}s`,
    strategy: {},
    get schema() {
      return schemaOfKind(group, version, kind) ?? {};
    },
  }) as Kind;

/** Admission sees the document under the resource of the object that it is for. */
export const asDocument = (attributes: AdmissionAttributes, { kind, schema }: Kind): AdmissionAttributes => ({
  ...attributes,
  kind: { ...attributes.kind, kind, schema, strategy: {} },
});
